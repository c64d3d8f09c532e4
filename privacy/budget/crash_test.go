package budget_test

const childEnv = "SCRIM_BUDGET_CHILD"

func child(string) int { return 1 }
