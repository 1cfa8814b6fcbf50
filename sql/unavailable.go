package sql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// UnavailableError is returned when the database is down, failing over, overloaded or too slow: the same request may
// succeed later.
type UnavailableError struct{ Err error }

func (e *UnavailableError) Error() string { return "database unavailable: " + e.Err.Error() }
func (e *UnavailableError) Unwrap() error { return e.Err }

// Unavailable returns true. Callers that do not import this package find the method with errors.As.
func (e *UnavailableError) Unavailable() bool { return true }

// UnknownOutcomeError is returned when the commit of a change was sent but not confirmed: the change may have been made,
// and a failover may undo it. Sending it again is safe for the store, which refuses to do it twice or finds it done.
type UnknownOutcomeError struct{ Err error }

func (e *UnknownOutcomeError) Error() string {
	return "database unavailable, outcome unknown: " + e.Err.Error()
}

// Unavailable returns true, see [UnavailableError].
func (e *UnknownOutcomeError) Unavailable() bool { return true }

// OutcomeUnknown returns true. Callers that do not import this package find the method with errors.As.
func (e *UnknownOutcomeError) OutcomeUnknown() bool { return true }

// failed adds the operation to an error of the driver, and wraps it in an [UnavailableError] where it is one. A nil error
// stays nil; a request that its caller cancelled is not a failure of the database.
func failed(operation string, err error) error {
	if err == nil {
		return nil
	}
	if known := (*UnavailableError)(nil); !errors.As(err, &known) && unavailable(err) {
		err = &UnavailableError{err}
	}
	return fmt.Errorf("%s: %w", operation, err)
}

func unavailable(err error) bool {
	if errors.Is(err, context.Canceled) {
		return false
	}
	if server := (*pq.Error)(nil); errors.As(err, &server) {
		switch server.Code.Class() {
		case pqerror.ClassConnectionException, pqerror.ClassInsufficientResources,
			pqerror.ClassTransactionRollback: // deadlock, serialization
			return true
		}
		switch server.Code {
		case pqerror.AdminShutdown, pqerror.CrashShutdown, pqerror.CannotConnectNow, pqerror.IdleSessionTimeout,
			pqerror.ReadOnlySQLTransaction, // a primary that has become a standby
			pqerror.QueryCanceled,          // statement_timeout
			pqerror.LockNotAvailable:       // lock_timeout
			return true
		}
		return false
	}
	var network net.Error
	return errors.As(err, &network) ||
		errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
