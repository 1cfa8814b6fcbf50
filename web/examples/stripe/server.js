import { readFileSync } from 'node:fs';
import { grantOf, holdfast } from '@holdfast/node/express';
import express from 'express';
import Stripe from 'stripe';

const port = Number(process.env.PORT ?? 3000);
const origin = `http://localhost:${port}`; // the public origin of this back end
const { STRIPE_API_KEY, STRIPE_PRICE, STRIPE_API = 'https://api.stripe.com' } = process.env;
const { hostname, port: apiPort, protocol } = new URL(STRIPE_API);
const stripe = new Stripe(STRIPE_API_KEY, {
  host: hostname,
  port: apiPort || 443,
  protocol: protocol.slice(0, -1),
});
const guard = holdfast({
  issuer: process.env.HOLDFAST_ORIGIN ?? 'http://localhost:8080',
  origin,
  roots: JSON.parse(readFileSync('holdfast-roots.json', 'utf8')),
});
await guard.ready();

const app = express();
app.use(express.static('dist'));

// Everybody who is signed in may buy. The user's id travels with the checkout to the subscription, whose events name it.
app.post('/checkout', guard.authenticate(), async (request, response) => {
  const { user } = grantOf(request);
  const session = await stripe.checkout.sessions.create({
    mode: 'subscription',
    line_items: [{ price: STRIPE_PRICE, quantity: 1 }],
    client_reference_id: user,
    subscription_data: { metadata: { holdfast_user: user } },
    success_url: origin,
    cancel_url: origin,
  });
  response.json({ url: session.url });
});

// Cards, invoices, cancellation: Stripe's pages. The customer is found by the subscription that names the user.
app.post('/portal', guard.authenticate(), async (request, response) => {
  const { user } = grantOf(request);
  const { data } = await stripe.subscriptions.search({ query: `metadata['holdfast_user']:'${user}'`, limit: 1 });
  if (data.length === 0) return response.status(404).json({ code: 'no_customer' });
  const session = await stripe.billingPortal.sessions.create({ customer: data[0].customer, return_url: origin });
  response.json({ url: session.url });
});

app.listen(port, 'localhost');
