import { locked, user } from '../client.ts';
import { route } from '../route.ts';
import { Later, security } from './later.tsx';
import { Notebook } from './notebook.tsx';
import { UpdatePrompt } from './update-prompt.tsx';
import { Welcome } from './welcome.tsx';

export function App() {
  return (
    <>
      <Screen />
      <UpdatePrompt />
    </>
  );
}

function Screen() {
  const place = route.value;
  const owner = user.value;
  if (locked.value && owner) return <Later part={security}>{({ LockScreen }) => <LockScreen user={owner} />}</Later>;
  if (place.at === 'enrolment' || place.at === 'recovery') {
    const { at, code } = place;
    return (
      <Later part={security}>{({ Recovery }) => <Recovery way={code === null ? 'typed' : at} code={code} />}</Later>
    );
  }
  if (place.at === 'recovered' && owner) return <Later part={security}>{({ Recovered }) => <Recovered />}</Later>;
  return owner ? <Notebook user={owner} /> : <Welcome />;
}
