package anonymity

// Model is a privacy model: what every class of the recoded table must be like. The types that implement it are in this package.
type Model interface {
	// String names the model with its parameters, as reports print it.
	String() string
	// prepare returns the model's check for one table. Its errors wrap ErrOptions or ErrTable.
	prepare(t *Table) (check, error)
}

// class is what a model sees of one class of recoded rows.
type class struct {
	rows   int64
	people int64    // in the population; for models that ask for it
	values []counts // by sensitive attribute
}

// counts is which values occur and how often. No value occurs twice.
type counts struct{ values, rows []uint32 }

// check is a model made ready for one table. It is used by many goroutines.
type check interface {
	// meets reports whether the class meets the model.
	meets(c *class) bool
	// may reports false only if no class within this one meets the model, and then it reports false for each of them too. It is
	// what a search prunes by: rows of classes that may not are lost at this node of the lattice and at all finer ones.
	may(c *class) bool
	// closed reports whether meets and may are the same, so that a class meets the model if any class within it does.
	closed() bool
}

// KAnonymity asks that every class has at least K rows.
type KAnonymity struct{ K int }

// KMap asks that every class has at least K members in the population.
type KMap struct {
	K          int
	Population *Table // of the same attributes; its sensitive attributes are not looked at
}

// DistinctLDiversity asks that every class holds at least L different sensitive values.
type DistinctLDiversity struct {
	Of string // a sensitive attribute
	L  int
}

// EntropyLDiversity asks that the entropy of the sensitive values in every class is at least log L.
type EntropyLDiversity struct {
	Of string
	L  float64
}

// RecursiveCLDiversity asks in every class that the most frequent sensitive value occurs less than C times as often as all from the
// L-th most frequent on together.
type RecursiveCLDiversity struct {
	Of string
	C  float64
	L  int
}

// EqualTCloseness asks that the distribution of sensitive values in every class is within T of that in the table, all values being
// equally far from each other.
type EqualTCloseness struct {
	Of string
	T  float64
}

// OrderedTCloseness is t-closeness for values in an order, neighbours being 1/(values-1) apart.
type OrderedTCloseness struct {
	Of string
	T  float64
}

// HierarchicalTCloseness is t-closeness with the distance of two values being the height at which they meet in the hierarchy.
type HierarchicalTCloseness struct {
	Of string
	T  float64
}

// DeltaPresence asks that the share of a class's population that is in the table lies between Least and Most.
type DeltaPresence struct {
	Least, Most float64
	Population  *Table
}
