package capability

// NonceOf returns the nonce that a proof names, before anything of the proof is believed; "" where it names none or
// cannot be read. A gateway whose nonces say by themselves that they are fresh looks at it, and then has the proof
// verified with that nonce in [Bound].
func NonceOf(proof string) string {
	if len(proof) > maxProof {
		return ""
	}
	input, _, ok := Token(proof).split()
	if !ok {
		return ""
	}
	raw, ok := decode(input[indexDot(input)+1:])
	if !ok {
		return ""
	}
	var nonce string
	if p, ok := parse(string(raw)); !ok || p.kind != isObject || !p.optional("nonce", &nonce) {
		return ""
	}
	return nonce
}

// AdmitsTool reports whether every link admits the tool with the arguments, a JSON object; with nil, with some. Lists are
// cut by it; a call is held to [Verified.Admits].
func (vd *Verified) AdmitsTool(tool string, arguments []byte) bool {
	r := Request{Tool: tool, Arguments: arguments}
	args, ok := r.arguments(vd)
	if !ok {
		return false
	}
	for i := range vd.Links {
		tools := vd.Links[i].Grant.Tools
		if tools == nil {
			continue
		}
		if bound, ok := argumentsOf(tools, tool); !ok || arguments != nil && !bound.admit(args) {
			return false
		}
	}
	return len(vd.Links) > 0
}

// AdmitsColumn reports whether every link admits a column of a dataset.
func (vd *Verified) AdmitsColumn(dataset, column string) bool {
	for i := range vd.Links {
		if sets := vd.Links[i].Grant.Datasets; sets != nil && !admitsColumns(sets, dataset, []string{column}) {
			return false
		}
	}
	return len(vd.Links) > 0
}

// AdmitsQuestion reports whether every link admits questions about columns of a dataset, nil standing for all, that are
// answered by a technique.
func (vd *Verified) AdmitsQuestion(dataset string, columns []string, technique string) bool {
	for i := range vd.Links {
		if vd.Links[i].Grant.refuses(&Request{Technique: technique, Dataset: dataset, Columns: columns, NoTool: true}, nil) != "" {
			return false
		}
	}
	return len(vd.Links) > 0
}
