package passkey

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/go-webauthn/webauthn/protocol"
)

// parseCreation returns the answer to a registration and the origin of the requesting page. It drops the attestation
// statement, as a client does for "none": nothing depends on it, so it is not verified, whatever its format.
func (s *Service) parseCreation(answer []byte) (*protocol.ParsedCredentialCreationData, string, error) {
	var response protocol.CredentialCreationResponse
	if err := stdjson.Unmarshal(answer, &response); err != nil {
		return nil, "", fmt.Errorf("parse: %w", err)
	}
	signed := response.AttestationResponse.ClientDataJSON
	plain, origin, err := s.readClientData(signed)
	if err != nil {
		return nil, "", err
	}
	response.AttestationResponse.ClientDataJSON = plain
	parsed, err := response.Parse()
	if err != nil {
		return nil, "", fmt.Errorf("parse: %w", err)
	}
	parsed.Raw.AttestationResponse.ClientDataJSON = signed
	object := &parsed.Response.AttestationObject
	object.Format, object.AttStatement, object.SubStatements = string(protocol.AttestationFormatNone), nil, nil
	return parsed, origin, nil
}

// Assertion is the answer to an authentication, before verification. Its claim is empty if it is unreadable.
type Assertion struct {
	Claim
	response   protocol.CredentialAssertionResponse
	unreadable error
}

// ReadAssertion reads the JSON of an answer. FinishAuthentication reports errors.
func ReadAssertion(answer []byte) (a Assertion) {
	if err := stdjson.Unmarshal(answer, &a.response); err != nil {
		return Assertion{unreadable: fmt.Errorf("parse: %w", err)}
	}
	a.Claim = claim(a.response.RawID, a.response.AssertionResponse.UserHandle)
	return a
}

// parseAssertion returns the answer to an authentication and the origin of the requesting page.
func (s *Service) parseAssertion(answer Assertion) (*protocol.ParsedCredentialAssertionData, string, error) {
	if answer.unreadable != nil {
		return nil, "", answer.unreadable
	}
	response := answer.response
	signed := response.AssertionResponse.ClientDataJSON
	plain, origin, err := s.readClientData(signed)
	if err != nil {
		return nil, "", err
	}
	response.AssertionResponse.ClientDataJSON = plain
	parsed, err := response.Parse()
	if err != nil {
		return nil, "", fmt.Errorf("parse: %w", err)
	}
	parsed.Raw.AssertionResponse.ClientDataJSON = signed // the signed bytes
	return parsed, origin, nil
}

// readClientData returns a clean copy of the client data, with the relevant members, and the origin, which is one of the
// service's. The library gets only that copy: its own parser accepts doubled members and names in any case, and its
// comparison accepts origins with a path, a user or capitals. The page's offline verifier reads client data by the same
// rules, and testdata/assertions.json tests both.
//
// Specification: §5.8.1, §7.1 steps 5 to 11, §7.2 steps 8 to 14
func (s *Service) readClientData(text []byte) (plain []byte, origin string, err error) {
	if err := checkObject(text); err != nil {
		return nil, "", fmt.Errorf("client data: %w", err)
	}
	var data struct {
		Type        string         `json:"type"`
		Challenge   string         `json:"challenge"`
		Origin      string         `json:"origin"`
		CrossOrigin jsontext.Value `json:"crossOrigin,omitempty"`
		TopOrigin   jsontext.Value `json:"topOrigin,omitempty"`
	}
	if err := json.Unmarshal(text, &data); err != nil {
		return nil, "", fmt.Errorf("client data: %w", err)
	}
	if !slices.Contains(s.webauthn.Config.RPOrigins, data.Origin) {
		return nil, "", fmt.Errorf("client data: origin %q", data.Origin)
	}
	if data.CrossOrigin != nil && string(data.CrossOrigin) != "false" || data.TopOrigin != nil {
		return nil, "", errors.New("client data: made in a frame of another origin")
	}
	plain, err = json.Marshal(data)
	return plain, data.Origin, err
}

// maxDepth is the deepest nesting of objects and arrays in client data.
const maxDepth = 32

// checkObject requires exactly one JSON object that all parsers read alike (RFC 7493): UTF-8 without byte order mark and
// lone surrogates, no duplicate member in any object, nested at most maxDepth deep.
func checkObject(text []byte) error {
	decoder := jsontext.NewDecoder(bytes.NewBuffer(text)) // refuses duplicate names and invalid Unicode
	if decoder.PeekKind() != '{' {
		return errors.New("not a JSON object")
	}
	for {
		_, err := decoder.ReadToken()
		switch depth := decoder.StackDepth(); {
		case err != nil:
			return err
		case depth > maxDepth:
			return errors.New("nested too deep")
		case depth == 0: // json.Unmarshal refuses trailing data
			return nil
		}
	}
}
