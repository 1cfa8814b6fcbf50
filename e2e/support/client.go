package support

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"
)

// Client is one browser profile: a cookie jar that talks to one server process.
type Client struct {
	// Origin is the public origin, which ceremonies and proofs name.
	Origin string
	// Address is where requests actually go: Origin itself, or another process that serves the same origin.
	Address string
	// Network is the claimed client address of requests, for a server with the setting [Networks]; "" is loopback.
	Network string

	http *http.Client
}

// Networks is a server setting with which each client can have its own network, because the server limits the short-term
// rate of each network.
const Networks = "HOLDFAST_TRUSTED_PROXIES=127.0.0.0/8,::1/128"

// NewClient returns a client without cookies. An empty address means the origin.
func NewClient(origin, address string) *Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // only options can be wrong, and none are given
	}
	if address == "" {
		address = origin
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second}
	return &Client{Origin: origin, Address: address, http: &http.Client{Jar: jar, Transport: transport, Timeout: 30 * time.Second}}
}

// At returns a client with the same cookies that talks to another process of the same origin.
func (c *Client) At(address string) *Client {
	return &Client{Origin: c.Origin, Address: address, Network: c.Network, http: c.http}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Cookies returns the cookies that the client would send.
func (c *Client) Cookies() []*http.Cookie { return c.http.Jar.Cookies(mustParse(c.Address)) }

// SetCookie adds a cookie as if the server had set it.
func (c *Client) SetCookie(cookie *http.Cookie) {
	c.http.Jar.SetCookies(mustParse(c.Address), []*http.Cookie{cookie})
}

func mustParse(address string) *url.URL {
	u, err := url.Parse(address)
	if err != nil {
		panic(err) // the test's own address
	}
	return u
}

// Problem is an RFC 9457 answer. Extra holds the whole body, for members that only some codes carry.
type Problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`

	Extra      json.RawMessage `json:"-"`
	Nonce      string          `json:"-"` // DPoP-Nonce
	RetryAfter string          `json:"-"`
}

func (p *Problem) Error() string {
	return fmt.Sprintf("%d %s: %s %s", p.Status, p.Code, p.Title, p.Detail)
}

// ForeignError is an answer that is not the server's, such as a proxy's.
type ForeignError struct {
	Status int
	text   string
}

func (e *ForeignError) Error() string { return e.text }

// Answer is the status and header of a successful answer.
type Answer struct {
	Status int
	Header http.Header
}

// Do sends body as JSON (none if nil) and reads the answer into out (not read if nil). It returns a *Problem for an
// answer that is not 2xx, and a *ForeignError for a body that is not application/problem+json, so that a proxy's page does
// not pass for an answer.
func (c *Client) Do(ctx context.Context, method, path string, body, out any, header http.Header) (Answer, error) {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return Answer{}, err
		}
	}
	return c.send(ctx, method, path, payload, out, header)
}

func (c *Client) send(ctx context.Context, method, path string, payload []byte, out any, header http.Header) (Answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.Address+path, bytes.NewReader(payload))
	if err != nil {
		return Answer{}, err
	}
	if c.Network != "" {
		request.Header.Set("X-Forwarded-For", c.Network)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	if payload != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	answer := Answer{Status: response.StatusCode, Header: response.Header}
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return answer, fmt.Errorf("%s %s: half an answer: %w", method, path, err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		problem := &Problem{Extra: raw, Nonce: response.Header.Get("DPoP-Nonce"), RetryAfter: response.Header.Get("Retry-After")}
		if !strings.HasPrefix(response.Header.Get("Content-Type"), "application/problem+json") {
			return answer, &ForeignError{response.StatusCode, fmt.Sprintf("%s %s: %s without a problem document: %.200s", method, path, response.Status, raw)}
		}
		if err := json.Unmarshal(raw, problem); err != nil {
			return answer, fmt.Errorf("%s %s: %s: %w", method, path, response.Status, err)
		}
		return answer, problem
	}
	if out == nil {
		return answer, nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return answer, fmt.Errorf("%s %s: %s: %w", method, path, response.Status, err)
	}
	return answer, nil
}

// Discard sends a request and reads its answer to the end; an answer that is not 2xx is an error.
func (c *Client) Discard(request *http.Request) error {
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("%s: %s", request.URL, response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// User is the user whom a ceremony signed in.
type User struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type ceremony struct {
	ID        string          `json:"ceremony"`
	PublicKey json.RawMessage `json:"publicKey"`
}

type ceremonyAnswer struct {
	ID         string          `json:"ceremony"`
	Credential json.RawMessage `json:"credential"`
}

type signedIn struct {
	User User `json:"user"`
}

// Register creates an account with a new passkey; the client is signed in afterwards. Once the passkey was sent, it is
// also returned with an error: whether the server stored it is then unknown.
func (c *Client) Register(ctx context.Context, name string) (User, *Passkey, error) {
	var begun ceremony
	if _, err := c.Do(ctx, http.MethodPost, "/v1/registration/options", map[string]string{"name": name}, &begun, nil); err != nil {
		return User{}, nil, err
	}
	passkey, credential, err := CreatePasskey(c.Origin, begun.PublicKey)
	if err != nil {
		return User{}, nil, err
	}
	var done signedIn
	_, err = c.Do(ctx, http.MethodPost, "/v1/registration", ceremonyAnswer{begun.ID, credential}, &done, nil)
	return done.User, passkey, err
}

// Enrol registers the first passkey of an account with the code of a one-time link; the client is signed in afterwards.
func (c *Client) Enrol(ctx context.Context, code string) (User, *Passkey, error) {
	var begun ceremony
	if _, err := c.Do(ctx, http.MethodPost, "/v1/recovery/options", map[string]string{"code": code}, &begun, nil); err != nil {
		return User{}, nil, err
	}
	passkey, credential, err := CreatePasskey(c.Origin, begun.PublicKey)
	if err != nil {
		return User{}, nil, err
	}
	var done signedIn
	_, err = c.Do(ctx, http.MethodPost, "/v1/recovery", ceremonyAnswer{begun.ID, credential}, &done, nil)
	return done.User, passkey, err
}

// SignIn authenticates with passkey; the client is signed in afterwards.
func (c *Client) SignIn(ctx context.Context, passkey *Passkey) (User, error) {
	var begun ceremony
	if _, err := c.Do(ctx, http.MethodPost, "/v1/authentication/options", struct{}{}, &begun, nil); err != nil {
		return User{}, err
	}
	credential, err := passkey.Assert(begun.PublicKey)
	if err != nil {
		return User{}, err
	}
	var done signedIn
	_, err = c.Do(ctx, http.MethodPost, "/v1/authentication", ceremonyAnswer{begun.ID, credential}, &done, nil)
	return done.User, err
}

// Trial starts the self-service trial of the signed-in user and returns the subscription's id.
func (c *Client) Trial(ctx context.Context) (string, error) {
	var started struct {
		Subscription struct {
			ID string `json:"id"`
		} `json:"subscription"`
	}
	_, err := c.Do(ctx, http.MethodPost, "/v1/trial", nil, &started, nil)
	return started.Subscription.ID, err
}

// Bearer returns the header for an admin token.
func Bearer(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + token}}
}
