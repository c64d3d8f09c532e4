package remote

import "net/http"

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Swap makes another service of a function.
func Swap(c *Client, f func(*http.Request) (*http.Response, error)) { c.http.Transport = tripper(f) }
