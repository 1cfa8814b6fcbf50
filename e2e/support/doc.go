// Package support is an honest client of a Holdfast server, written from the contract alone: a virtual passkey, a device
// with its key, proofs and lineage, and the server process itself, which can be started, stopped and killed. It imports
// nothing from the server, so that a mistake in the server cannot hide here.
package support
