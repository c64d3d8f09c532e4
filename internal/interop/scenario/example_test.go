package scenario_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/scrimhq/scrim/internal/interop/scenario"
)

// The id of a message names what becomes of it.
func Example() {
	srv := httptest.NewServer(scenario.New(scenario.Options{}).Handler())
	defer srv.Close()
	req, err := http.NewRequest(http.MethodPost, srv.URL+"/rest/message:send", strings.NewReader(
		`{"message": {"messageId": "tck-message-response-1", "role": "ROLE_USER", "parts": [{"text": "Hello?"}]}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	req.Header.Set("A2A-Version", "1.0")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body) // an error shows below
	fmt.Println(res.StatusCode, strings.Contains(string(body), "An answer without a task."))
	// Output: 200 true
}
