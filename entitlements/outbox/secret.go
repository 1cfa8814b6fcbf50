package outbox

import (
	"encoding/base64"
	"errors"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Secret signs messages. It can both check and make signatures.
type Secret struct{ webhook *standardwebhooks.Webhook }

// The size of a secret in bytes, by Standard Webhooks.
const minSecret, maxSecret = 24, 64

// ParseSecret reads a secret in the format of Standard Webhooks. The error does not reveal it.
func ParseSecret(text string) (Secret, error) {
	encoded, ok := strings.CutPrefix(text, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < minSecret || len(key) > maxSecret {
		return Secret{}, errors.New("is not whsec_ and 24 to 64 bytes in base64")
	}
	webhook, err := standardwebhooks.NewWebhookRaw(key)
	return Secret{webhook}, err
}

// sign returns the value of webhook-signature: a signature by each secret.
func sign(secrets []Secret, message string, at time.Time, payload []byte) string {
	signatures := make([]string, len(secrets))
	for i, secret := range secrets {
		var err error
		if signatures[i], err = secret.webhook.Sign(message, at, payload); err != nil {
			panic(err) // an HMAC does not fail
		}
	}
	return strings.Join(signatures, " ")
}
