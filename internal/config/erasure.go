package config

// Erasure says who has people's data erased.
type Erasure struct {
	Within    Duration   `yaml:"within" doc:"How long a request for an erasure waits for its confirmation." default:"24h" min:"1m"`
	Approvers []Approver `yaml:"approvers" doc:"Who may ask for an erasure and confirm one that another asked for. With one, the operator is the other. Absent: whoever asked confirms, in a second step."`
}

// Approver has a credential of their own for erasures.
type Approver struct {
	Name   string `yaml:"name" doc:"As the journal says who asked and who confirmed." required:"true" pattern:"id"`
	SHA256 string `yaml:"sha256" doc:"SHA-256 of the credential; \"scrim erase --new-credential\" makes both." required:"true" pattern:"sha256"`
}

// erasure checks that approvers are people of their own.
func (v *validator) erasure() {
	var all []person
	for _, a := range v.c.Erasure.Approvers {
		all = append(all, person{a.Name, a.SHA256})
	}
	v.people("erasure/approvers", "scrim erase --new-credential", all)
}
