package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"holdfast/entitlements"
)

const (
	// fetchPatience is how long fetching a status list may take, redirects included.
	fetchPatience = 10 * time.Second
	// maxStatusList limits the answer, in bytes. A list of 2^20 entries of two bits takes at most 480 kB.
	maxStatusList = 1 << 20
)

// statusWords are the statuses for display.
var statusWords = map[entitlements.Status]string{
	entitlements.StatusValid: "valid", entitlements.StatusInvalid: "invalid", entitlements.StatusSuspended: "suspended",
}

// documentStatus is a document's current status.
type documentStatus struct {
	Status string    `json:"status"`
	AsOf   time.Time `json:"as_of"` // when the list was signed
}

// fetchStatus fetches the list that a verified document refers to and looks the document up in it.
func fetchStatus(ctx context.Context, verifier entitlements.Verifier, reference entitlements.StatusReference) (documentStatus, error) {
	token, err := fetchStatusList(ctx, reference.URI)
	if err != nil {
		return documentStatus{}, err
	}
	list, err := verifier.VerifyStatusList(token, reference.URI, time.Now())
	if err != nil {
		return documentStatus{}, fmt.Errorf("status list %s: %w", reference.URI, err)
	}
	status, err := list.Status(reference)
	if err != nil {
		return documentStatus{}, err
	}
	word, known := statusWords[status]
	if !known {
		return documentStatus{}, fmt.Errorf("status list %s: unknown status %d", reference.URI, status)
	}
	return documentStatus{Status: word, AsOf: list.IssuedAt}, nil
}

func fetchStatusList(ctx context.Context, uri string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return "", err
	}
	if err := mayFetch(request.URL); err != nil {
		return "", err
	}
	request.Header.Set("Accept", "application/statuslist+jwt")
	client := http.Client{CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if len(via) > 3 {
			return errors.New("too many redirects")
		}
		return mayFetch(next.URL)
	}}
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status list %s: %s", uri, answer.Status)
	}
	token, err := io.ReadAll(io.LimitReader(answer.Body, maxStatusList+1))
	if err != nil {
		return "", fmt.Errorf("status list %s: %w", uri, err)
	}
	if len(token) > maxStatusList {
		return "", fmt.Errorf("status list %s is larger than %d bytes", uri, maxStatusList)
	}
	return string(token), nil
}

// mayFetch refuses an address that is not a web address, or that others could read on the way.
func mayFetch(address *url.URL) error {
	if address.Scheme == "https" && address.Host != "" || address.Scheme == "http" && isLocal(address.Hostname()) {
		return nil
	}
	return fmt.Errorf("status list %s: neither https nor on this machine", address.Redacted())
}
