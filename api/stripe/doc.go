// Package stripe receives Stripe's webhooks: it verifies who has sent a body, reads from it what package billing wants to
// know, in the shapes of old and of new API versions, and asks Stripe's API what is so now. It decides nothing about
// subscriptions. All use of Stripe's own library is here.
package stripe
