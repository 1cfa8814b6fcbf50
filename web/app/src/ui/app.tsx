import { locked, user } from '../client.ts';
import { route } from '../route.ts';
import { Later, security } from './later.tsx';
import { LockScreen } from './lock-screen.tsx';
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
  if (locked.value && user.value) return <LockScreen user={user.value} />;
  if (place.at === 'enrolment') {
    return <Later part={security}>{({ Recovery }) => <Recovery way="enrolment" code={place.code} />}</Later>;
  }
  if (place.at === 'recovery') {
    const way = place.code === null ? 'typed' : 'recovery';
    return <Later part={security}>{({ Recovery }) => <Recovery way={way} code={place.code} />}</Later>;
  }
  if (place.at === 'recovered' && user.value) return <Later part={security}>{({ Recovered }) => <Recovered />}</Later>;
  return user.value === null ? <Welcome /> : <Notebook user={user.value} />;
}
