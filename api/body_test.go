package api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast/api"
)

// stall sends the head of a request and part of its announced body, and reads the answer. It continues only after the
// answer or the end of the connection.
func (b *browser) stall(method, path, length string, body []byte, headers ...string) (*http.Response, net.Conn, error) {
	t := b.w.t
	t.Helper()
	conn := must1((&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.w.url, "http://")))(t)
	t.Cleanup(func() { conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(time.Minute))) // far more than needed
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%s\r\n", method, path, length)
	for i := 0; i < len(headers); i += 2 {
		head += headers[i] + ": " + headers[i+1] + "\r\n"
	}
	_, err := conn.Write(append([]byte(head+"\r\n"), body...))
	must(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	return answer, conn, err
}

// TestUnknownKeyCannotSendLargeBody checks that a valid proof with an unknown key admits at most 64 KiB, whatever length is
// announced.
func TestUnknownKeyCannotSendLargeBody(t *testing.T) {
	w := newWorld(t)
	nobody := w.browser()
	nobody.fetchNonce()
	sent := bytes.Repeat([]byte(" "), 64<<10+1)
	chunked := append(fmt.Appendf(nil, "%x\r\n", 4<<20), sent...)
	for length, part := range map[string][]byte{"Content-Length: 4194304": sent, "Transfer-Encoding: chunked": chunked} {
		answer, conn, err := nobody.stall("POST", "/v1/reconcile", length, part, "DPoP", nobody.proof("POST", "/v1/reconcile", nil, nil))
		if err != nil || answer.StatusCode != http.StatusNotFound {
			t.Fatalf("%s: %v, %v", length, answer, err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil { // the server ends it
			t.Errorf("%s: %v", length, err)
		}
	}
	// A known key may send large bodies, one at a time.
	ada := w.browser()
	ada.register("Ada")
	device, lineage := ada.link()
	large := fmt.Appendf(nil, `{"device":%q,"lineage":%q,"keyset_version":0%s}`, device, lineage, strings.Repeat(" ", 3<<20))
	ada.do("POST", "/v1/reconcile", large, "DPoP", ada.proof("POST", "/v1/reconcile", large, nil)).want(t, 200, "")
	ada.do("POST", "/v1/reconcile", large, "DPoP", ada.proof("POST", "/v1/reconcile", large, nil)).want(t, 200, "")
	huge := append(large, make([]byte, 2<<20)...)
	ada.do("POST", "/v1/reconcile", huge, "DPoP", ada.proof("POST", "/v1/reconcile", huge, nil)).want(t, 413, "payload_too_large")
}

// TestOneLargeBodyPerDevice checks that a device that is sending a large body cannot send another one meanwhile.
func TestOneLargeBodyPerDevice(t *testing.T) {
	w := newWorld(t)
	ada := w.browser()
	ada.register("Ada")
	device, lineage := ada.link()
	large := fmt.Appendf(nil, `{"device":%q,"lineage":%q,"keyset_version":0%s}`, device, lineage, strings.Repeat(" ", 1<<20))
	body := &stalling{first: large[:100<<10], rest: large[100<<10:], gone: make(chan struct{}), released: make(chan struct{})}
	request, err := http.NewRequestWithContext(t.Context(), "POST", w.url+"/v1/reconcile", body)
	must(t, err)
	request.ContentLength = int64(len(large))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("DPoP", ada.proof("POST", "/v1/reconcile", large, nil))
	request.Header.Set("Expect", "100-continue") // the body goes when the server reads it
	transport := &http.Transport{ExpectContinueTimeout: time.Minute}
	t.Cleanup(transport.CloseIdleConnections)
	done := make(chan *http.Response, 1)
	go func() {
		response, err := transport.RoundTrip(request)
		if err != nil {
			t.Error(err)
		}
		done <- response
	}()
	<-body.gone
	second := ada.do("POST", "/v1/reconcile", large, "DPoP", ada.proof("POST", "/v1/reconcile", large, nil)).want(t, 429, "rate_limited")
	if wait := second.Header.Get("Retry-After"); wait != "1" {
		t.Errorf("Retry-After: %q", wait)
	}
	close(body.released)
	if first := <-done; first == nil || first.StatusCode != 200 {
		t.Errorf("the first: %v", first)
	}
	ada.do("POST", "/v1/reconcile", large, "DPoP", ada.proof("POST", "/v1/reconcile", large, nil)).want(t, 200, "")
}

// stalling is a body that sends its rest when released.
type stalling struct {
	first, rest    []byte
	gone, released chan struct{}
	begun          bool
}

func (s *stalling) Read(p []byte) (n int, err error) {
	if len(s.first) > 0 {
		n = copy(p, s.first)
		s.first = s.first[n:]
		return n, nil
	}
	if !s.begun {
		s.begun = true
		close(s.gone)
		<-s.released
	}
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n = copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// TestStalledBodiesEnd checks that a client that announces a body and does not send it is disconnected, whatever the route.
func TestStalledBodiesEnd(t *testing.T) {
	w := newWorld(t).replica(func(cfg api.Config) (http.Handler, error) { return api.NewImpatient(cfg, 200*time.Millisecond) })
	nobody := w.browser()
	nobody.fetchNonce()
	proof := []string{"DPoP", nobody.proof("POST", "/v1/reconcile", nil, nil)}
	for _, c := range []struct {
		path    string
		headers []string
		status  int
	}{
		{"/v1/authentication/options", nil, http.StatusRequestTimeout},
		{"/v1/reconcile", proof, http.StatusRequestTimeout},
		{"/v1/billing/stripe", nil, http.StatusRequestTimeout},
		{"/admin/v1/users", []string{"Authorization", "Bearer " + adminSecret}, http.StatusRequestTimeout},
		{"/v1/trial", nil, http.StatusUnauthorized},
		{"/v1/unknown", nil, http.StatusNotFound},
		{"/v1/devices?x=1", nil, http.StatusBadRequest},
	} {
		answer, conn, err := nobody.stall("POST", c.path, "Content-Length: 1000", []byte(`{"`), c.headers...)
		if err != nil || answer.StatusCode != c.status {
			t.Errorf("%s: %v, %v", c.path, answer, err)
			continue
		}
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("%s: the connection goes on: %v", c.path, err)
		}
	}
}
