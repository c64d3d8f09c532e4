package patients

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
)

// registryColumns are those of the registry, in their order.
var registryColumns = []string{"mrn", "name", "sex", "birth_date", "postal_code", "diagnosis"}

// WriteRegistry writes a CSV file with a row a patient: who it is, and the first diagnosis.
func WriteRegistry(path string, all []Patient) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("writing the registry: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	rows := [][]string{registryColumns}
	for _, p := range all {
		diagnosis := ""
		if len(p.Conditions) > 0 {
			diagnosis = p.Conditions[0].Code
		}
		rows = append(rows, []string{p.MRN, p.Name, p.Sex, string(p.BirthDate), p.PostalCode, diagnosis})
	}
	return csv.NewWriter(f).WriteAll(rows)
}
