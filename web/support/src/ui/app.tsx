import { place } from '../address.ts';
import { me } from '../session.ts';
import { Console } from './console.tsx';
import { Landing } from './landing.tsx';
import { SignIn } from './sign-in.tsx';
import { OutOfReach, Stranger } from './stranger.tsx';

export function App() {
  const at = place.value;
  const present = me.value;
  if (at.at === 'invitation' || at.at === 'recovery') return <Landing kind={at.at} code={at.code} />;
  if (present === 'not asked') return null;
  if (present === 'out of reach') return <OutOfReach />;
  if (present === 'nobody') return <SignIn />;
  if (present === 'stranger') return <Stranger />;
  return <Console me={present} />;
}
