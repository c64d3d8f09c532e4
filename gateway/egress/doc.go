// Package egress makes HTTP clients for addresses that strangers name: webhooks, files, keys.
//
// Such a client goes to public addresses only. What it connects to is looked at when it connects, after the name was
// resolved, so that a name that means something else a moment later leads nowhere new. It follows no redirect, uses no
// proxy, and reads at most so much.
package egress
