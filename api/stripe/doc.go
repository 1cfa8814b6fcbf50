// Package stripe receives Stripe's webhooks. It verifies their signatures, extracts the facts that package billing needs,
// from both old and new API versions, and queries Stripe's API for the current state. It decides nothing about
// subscriptions. All use of Stripe's own library is in this package.
package stripe
