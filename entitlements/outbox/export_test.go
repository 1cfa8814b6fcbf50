package outbox

// Judge and Sign export the rules for tests.
var (
	Judge = judge
	Sign  = sign
)
