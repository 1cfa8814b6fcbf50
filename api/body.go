package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"holdfast/entitlements/dpop"
)

// bodyRate is how many bytes a second the part of a body beyond bodyLimit has to come at.
const bodyRate = 128 << 10

// paceBodies ends requests whose body does not come in time, whatever becomes of them: what nobody has read when a route
// has answered is waited for as well. Without a body there is nothing to wait for, and the server's own limit, which also
// ends streams, is lifted.
func (s *server) paceBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.ContentLength == 0 {
			_ = control.SetReadDeadline(time.Time{}) // a writer that knows no deadlines has none
		} else {
			body := &pacedBody{ReadCloser: r.Body, control: control, due: time.Now().Add(s.pace.body)}
			_ = control.SetReadDeadline(body.due)
			r.Body = body
		}
		next.ServeHTTP(w, r)
	})
}

// pacedBody fails to be read when it comes too slowly.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	due     time.Time // when the first bodyLimit bytes have to be there
	read    int64
}

func (b *pacedBody) Read(p []byte) (int, error) {
	if late := b.read - bodyLimit; late > 0 {
		_ = b.control.SetReadDeadline(b.due.Add(time.Duration(late) * time.Second / bodyRate))
	}
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if err == io.EOF { //nolint:errorlint // as io.Reader has it
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// proofBody reads the body of a request that came under a sound proof. Anybody can make one, under a key that nobody knows:
// no more than other routes take is read until the device is known, and then one large body of it at a time.
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
