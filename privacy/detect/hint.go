package detect

import "github.com/scrimhq/scrim/flow"

// HintLabel returns the label that a member's name suggests ("email", "ssn", "phoneNumber", "dob"), whatever its case and
// separators. It is a prior for members that no schema declares, never a reason to reveal more.
func HintLabel(member string) (flow.Label, bool) { return "", false }
