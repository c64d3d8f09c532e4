package run_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
)

func TestAFacadeIsServedOverREST(t *testing.T) {
	t.Parallel()
	ward, wardDigest := identity.NewKey()
	_, labDigest := identity.NewKey()
	file := lay(t, fmt.Sprintf(facadeYAML, wardDigest, labDigest, strconv.Quote(clinic(t, 3))), map[string]string{"contract.yaml": staysContract})
	_, addr, _ := serve(t, load(t, file), run.Options{})
	for path, want := range map[string]string{"stays?age=21": `{"rows":[{"patient":"p1","age":21}`, "stays/p2": `{"row":{"patient":"p2"`, "openapi.json": `"openapi":"3.1.0"`} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/facade/stays/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+ward.Expose())
		req.Header.Set(identity.HeaderCriticality, "routine")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != 200 || !strings.Contains(string(got), want) {
			t.Errorf("%s is %d %s %v, want %s", path, res.StatusCode, got, err, want)
		}
	}
}
