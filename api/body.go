package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"holdfast/entitlements/dpop"
)

// bodyRate is the minimum rate, in bytes per second, for the part of a body beyond bodyLimit.
const bodyRate = 128 << 10

// paceBodies ends requests whose body arrives too slowly, even after the answer, since net/http then still waits for the
// unread part. For a request without a body it lifts the server's own read limit, which would end streams.
func (s *server) paceBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.ContentLength == 0 {
			_ = control.SetReadDeadline(time.Time{}) // writers without deadlines need none
		} else {
			body := &pacedBody{ReadCloser: r.Body, control: control, due: time.Now().Add(s.pace.body)}
			_ = control.SetReadDeadline(body.due)
			r.Body = body
		}
		next.ServeHTTP(w, r)
	})
}

// pacedBody is a body whose reads fail if it arrives too slowly.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	due     time.Time // deadline for the first bodyLimit bytes
	read    int64
}

func (b *pacedBody) Read(p []byte) (int, error) {
	if late := b.read - bodyLimit; late > 0 {
		_ = b.control.SetReadDeadline(b.due.Add(time.Duration(late) * time.Second / bodyRate))
	}
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if err == io.EOF { //nolint:errorlint // io.Reader returns it unwrapped
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// awaitBody reads the body into memory. It leaves an error to the handler, whose read fails in the same way.
func awaitBody(r *http.Request) {
	var arrived bytes.Buffer
	_, _ = arrived.ReadFrom(r.Body)
	r.Body = io.NopCloser(io.MultiReader(&arrived, r.Body))
}

// proofBody reads the body of a request with a valid proof. Anybody can make a valid proof with a new key: beyond
// bodyLimit, only the body of a known device is read, and only one per device at a time.
func (s *server) proofBody(r *http.Request, proof dpop.Proof) ([]byte, error) {
	body, err := readBody(io.LimitReader(r.Body, bodyLimit+1))
	if err != nil || len(body) <= bodyLimit {
		return body, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	if err := s.entitlements.CheckDevice(ctx, proof); err != nil {
		return nil, err
	}
	if _, sending := s.large.LoadOrStore(proof.JKT, true); sending {
		return nil, &tooOften{time.Second}
	}
	defer s.large.Delete(proof.JKT)
	rest, err := readBody(r.Body)
	return append(body, rest...), err
}
