package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"holdfast/api"
	"holdfast/entitlements/jose"
)

// description is openapi.yaml. Schemas are JSON Schema 2020-12, which kin-openapi reads but does not apply in full.
type description struct {
	*openapi3.T
	routes  *http.ServeMux
	mu      sync.Mutex
	schemas *jsonschema.Compiler
}

var described = sync.OnceValues(func() (*description, error) {
	document, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	if err := document.Validate(context.Background()); err != nil {
		return nil, err
	}
	text, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	closeObjects(parsed, false)
	d := &description{T: document, routes: http.NewServeMux(), schemas: jsonschema.NewCompiler()}
	d.schemas.AssertFormat()
	d.schemas.AssertContent()
	d.schemas.RegisterContentMediaType(&jsonschema.MediaType{
		Name:          "application/jwt",
		Validate:      func(token []byte) error { _, err := readJWT(token); return err },
		UnmarshalJSON: readJWT,
	})
	if err := d.schemas.AddResource("openapi.json", parsed); err != nil {
		return nil, err
	}
	for _, route := range api.Routes() {
		if route.Path == "/" || route.Path == "/support" {
			continue // files of the apps
		}
		d.routes.Handle(route.Method+" "+route.Path, http.NotFoundHandler())
	}
	return d, nil
})

// closeObjects makes schemas refuse unnamed members. A schema that is part of another one stays open, because the whole is
// closed.
func closeObjects(node any, part bool) {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			closeObjects(item, part)
		}
	case map[string]any:
		ref, _ := node["$ref"].(string)
		if !part && (node["properties"] != nil || node["allOf"] != nil || strings.HasPrefix(ref, "#/components/schemas/")) {
			node["unevaluatedProperties"] = false
		}
		for name, item := range node {
			closeObjects(item, name == "allOf")
		}
		if named, ok := node["schemas"].(map[string]any); ok {
			for _, schema := range named {
				delete(schema.(map[string]any), "unevaluatedProperties") // the referring schema closes it
			}
		}
	}
}

// readJWT returns the header and the claims of a JWT, as a contentSchema describes them.
func readJWT(token []byte) (any, error) {
	message, err := jose.Parse(string(token))
	if err != nil {
		return nil, err
	}
	header, err := jsonschema.UnmarshalJSON(bytes.NewReader(message.Header))
	if err != nil {
		return nil, err
	}
	claims, err := jsonschema.UnmarshalJSON(bytes.NewReader(message.Payload))
	if err != nil {
		return nil, err
	}
	return []any{header, claims}, nil
}

// checkDescribed fails the test unless openapi.yaml describes the answer: its status, content type and body.
func (a answer) checkDescribed(t *testing.T) {
	t.Helper()
	d := must1(described())(t)
	_, pattern := d.routes.Handler(a.Request)
	method, path, found := strings.Cut(pattern, " ")
	if !found || method != a.Request.Method {
		return // an unknown path or method
	}
	status := strconv.Itoa(a.StatusCode)
	responses := d.Paths.Value(path).GetOperation(method).Responses
	response := responses.Value(status)
	if response == nil && a.StatusCode >= 400 {
		status = "default"
		response = responses.Value(status)
	}
	if response == nil {
		t.Errorf("%s: %d is not described", pattern, a.StatusCode)
		return
	}
	at := "#/paths/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(path) + "/" + strings.ToLower(method) + "/responses/" + status
	if response.Ref != "" {
		at = response.Ref
	}
	if len(a.body) == 0 || method == http.MethodHead {
		return
	}
	kind, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	must(t, err)
	content := response.Value.Content[kind]
	if content == nil {
		t.Errorf("%s: %d as %s is not described", pattern, a.StatusCode, kind)
		return
	}
	isText := content.Schema.Value.Type.Is("string") || strings.HasPrefix(content.Schema.Value.ContentMediaType, "application/")
	if !isText && !strings.HasSuffix(kind, "json") {
		return // JSON Lines
	}
	at += "/content/" + strings.ReplaceAll(kind, "/", "~1") + "/schema"
	schema, err := d.schema(at)
	must(t, err)
	var body any = string(a.body)
	if !isText {
		body, err = jsonschema.UnmarshalJSON(bytes.NewReader(a.body))
		must(t, err)
	}
	if err := schema.Validate(body); err != nil {
		t.Errorf("%s: %d is not as described: %v\n%s", pattern, a.StatusCode, err, a.body)
	}
}

// schema compiles the schema at a place in the document.
func (d *description) schema(at string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.schemas.Compile("openapi.json" + at) // the compiler caches the result
}
