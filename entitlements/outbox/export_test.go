package outbox

// Judge and Sign are the rules themselves.
var (
	Judge = judge
	Sign  = sign
)
