package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"holdfast/entitlements/outbox"
)

// webhooks returns the configuration of outgoing webhooks. Its errors contain no secret and no credentials of a URL.
func (c Config) webhooks() (outbox.Config, error) {
	config := outbox.Config{Now: time.Now}
	seen := map[string]bool{}
	for i, text := range c.WebhookURL {
		endpoint, err := parseEndpoint(text)
		if err != nil {
			return outbox.Config{}, fmt.Errorf("--webhook-url (the %s) %w", ordinal(i), err)
		}
		if seen[endpoint.URL] {
			return outbox.Config{}, fmt.Errorf("--webhook-url %s is given twice", endpoint.Shown)
		}
		seen[endpoint.URL] = true
		config.Endpoints = append(config.Endpoints, endpoint)
	}
	for i, text := range c.WebhookSecret {
		secret, err := outbox.ParseSecret(text)
		if err != nil {
			return outbox.Config{}, fmt.Errorf("--webhook-secret (the %s) %w, such as from 'echo whsec_$(openssl rand -base64 32)'", ordinal(i), err)
		}
		config.Secrets = append(config.Secrets, secret)
	}
	if len(config.Endpoints) > 0 && len(config.Secrets) == 0 {
		return outbox.Config{}, errors.New("--webhook-url needs --webhook-secret: receivers must be able to check who sent a message")
	}
	return config, nil
}

// parseEndpoint parses an endpoint's URL. The error continues a sentence.
func parseEndpoint(text string) (outbox.Endpoint, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Fragment != "" {
		return outbox.Endpoint{}, errors.New("is not a URL such as https://crm.example.org/holdfast")
	}
	if u.Scheme == "http" && !isLocal(u.Hostname()) {
		return outbox.Endpoint{}, errors.New("is neither https nor on this machine")
	}
	segments := strings.Split(u.Path, "/")
	for i, segment := range segments {
		if segment != "" && !wordInPath.MatchString(segment) {
			segments[i] = "..."
		}
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.Join(segments, "/")}
	return outbox.Endpoint{URL: u.String(), Shown: shown.String()}, nil
}

// wordInPath matches segments of a path that are safe to show: many services have a secret in it, and secrets do not look
// like words.
var wordInPath = regexp.MustCompile(`^[a-z_.-]{1,20}[0-9]{0,2}$`)

// ordinal names something by its position.
func ordinal(i int) string {
	if words := []string{"first", "second", "third"}; i < len(words) {
		return words[i]
	}
	return strconv.Itoa(i+1) + "th"
}

// outbox returns the service that sends webhooks.
func (c Config) outbox(ctx context.Context, store outbox.Store, clockOff func() error, log *slog.Logger) (*outbox.Service, error) {
	config, err := c.webhooks()
	if err != nil {
		return nil, err
	}
	config.ClockOff = clockOff
	config.GivenUp = func(d outbox.Delivery) {
		log.Error("gave up a webhook; resend it once its receiver works", "endpoint", d.Endpoint, "delivery", d.ID, "type", d.Type,
			"attempts", d.Attempts, "status", d.LastStatus, "failure", d.LastError)
	}
	return outbox.New(ctx, config, store, newWebhookSender())
}

// maxAnswerHeader limits how much of the header of a receiver's answer is read, in bytes. The body is not read.
const maxAnswerHeader = 64 << 10

// webhookSender is the [outbox.Sender] over HTTP. It does not trust receivers: it follows no redirect, reads no body, and
// uses no connection twice, so that one answer cannot affect the next.
type webhookSender struct{ client *http.Client }

func newWebhookSender() *webhookSender {
	var http1 http.Protocols
	http1.SetHTTP1(true)
	return &webhookSender{&http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxAnswerHeader,
			Protocols: &http1,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Send implements [outbox.Sender].
func (s *webhookSender) Send(ctx context.Context, message outbox.Request) (status int, failure outbox.Failure) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, message.URL, bytes.NewReader(message.Payload))
	if err != nil {
		return 0, outbox.Unreachable
	}
	request.Header = http.Header{
		"Content-Type": {"application/json"},
		"User-Agent":   {"Holdfast"},
		// Header names as in the Standard Webhooks specification.
		"webhook-id":        {message.ID},
		"webhook-timestamp": {strconv.FormatInt(message.Timestamp.Unix(), 10)},
		"webhook-signature": {message.Signature},
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return 0, failureOf(err)
	}
	answer.Body.Close()
	switch answer.StatusCode / 100 {
	case 2:
		return answer.StatusCode, ""
	case 3:
		return answer.StatusCode, outbox.Redirected
	}
	return answer.StatusCode, outbox.Refused
}

// failureOf returns the kind of failure in one word. The error itself names the URL with its credentials.
func failureOf(err error) outbox.Failure {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var network *net.OpError
	var name *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return outbox.TimedOut
	case errors.As(err, &certificate), errors.As(err, &record), errors.As(err, &alert), errors.Is(err, http.ErrSchemeMismatch):
		return outbox.BadTLS
	case errors.As(err, &name), errors.As(err, &network) && network.Op == "dial":
		return outbox.Unreachable
	default:
		return outbox.Broken
	}
}
