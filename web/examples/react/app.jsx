import { HoldfastError } from '@holdfast/client';
import { useFeature, useHoldfast } from '@holdfast/react';
import { useEffect, useState } from 'react';

export function App() {
  const { hf, user, entitlement } = useHoldfast();
  const mayExport = useFeature('export');
  const [outcome, setOutcome] = useState('');
  const { state, until } = entitlement;
  useEffect(() => {
    if (!mayExport) setOutcome('');
  }, [mayExport]);

  /** Runs what the user asked for, and says why it failed. */
  const run = (work) => async (event) => {
    event.preventDefault();
    setOutcome('');
    try {
      await work(event.currentTarget);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      setOutcome(`It did not work: ${error.code}`);
    }
  };

  return (
    <>
      <h1>React</h1>
      <p role="status">
        {user ? `${user.name}: ${state}${until ? `, offline until ${until.toLocaleString()}` : ''}` : 'Not signed in'}
      </p>
      {!user && (
        <form onSubmit={run((form) => hf.register(new FormData(form).get('name')))}>
          <label>
            Name <input name="name" required />
          </label>
          <button type="submit">Create account</button>
          <button type="button" onClick={run(() => hf.signIn())}>
            Sign in
          </button>
        </form>
      )}
      {user && state === 'none' && (
        <button type="button" onClick={run(() => hf.startTrial())}>
          Start trial
        </button>
      )}
      <button type="button" disabled={!mayExport} onClick={() => setOutcome('Exported.')}>
        Export
      </button>
      <p role="alert">{outcome}</p>
    </>
  );
}
