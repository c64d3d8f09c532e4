package identity

import "context"

type resourceKey struct{}

// WithResource says which protected resource a request is for, by the URL under which clients know it. Tokens of an issuer
// with [Issuer.Resource] are accepted for that resource alone; without one they are not accepted at all.
func WithResource(ctx context.Context, url string) context.Context {
	return context.WithValue(ctx, resourceKey{}, url)
}

func resourceOf(ctx context.Context) string {
	url, _ := ctx.Value(resourceKey{}).(string)
	return url
}
