package config

// Terms is how agents may ask on which terms data would pass, before they send any.
type Terms struct {
	Rate     int `yaml:"rate" doc:"Questions that one agent may ask in a minute; all of them may come at once." default:"60" min:"1" max:"100000"`
	Variants int `yaml:"variants" doc:"Other choices of the agent's own, such as another purpose, that are decided for one question, so that the answer can say what would show more." default:"16" min:"1" max:"64"`
}
