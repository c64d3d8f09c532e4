package syntax

import (
	"maps"
	"slices"
)

const aggregates = "aggregates are count, sum, avg, var_pop, var_samp, stddev_pop, stddev_samp, min, max, median, percentile_cont, quantile, histogram"

// functions are the names that a question may call. What they take, and where, is for whoever compiles a question to say.
var functions = map[string]bool{
	// aggregates
	"count": true, "sum": true, "avg": true, "mean": true, "min": true, "max": true, "median": true,
	"var": true, "variance": true, "var_pop": true, "var_samp": true, "stddev": true, "stddev_pop": true, "stddev_samp": true,
	"percentile_cont": true, "percentile_disc": true, "quantile": true, "histogram": true,
	// numbers
	"abs": true, "sign": true, "round": true, "floor": true, "ceil": true, "ceiling": true, "trunc": true, "mod": true, "div": true,
	"clamp": true, "bucket": true, "width_bucket": true,
	// any value
	"coalesce": true, "nullif": true, "greatest": true, "least": true,
	// text
	"lower": true, "upper": true, "length": true, "char_length": true, "character_length": true,
	// dates
	"extract": true, "date_part": true, "date_trunc": true, "year": true, "quarter": true, "month": true, "day": true,
	"dayofweek": true, "hour": true, "minute": true, "date": true,
}

// Functions are the names that a question may call, in order.
func Functions() []string { return slices.Sorted(maps.Keys(functions)) }

// nearest is the function whose name takes the fewest changes from s; "": all are far.
func nearest(s string) string {
	best, at := "", 3
	for _, f := range Functions() {
		if d := distance(s, f); d < at && d < len(f) {
			best, at = f, d
		}
	}
	return best
}

// distance is Levenshtein's, of short names.
func distance(a, b string) int {
	if len(a) > maxName || len(b) > maxName {
		return maxName
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
