import { Holdfast } from './holdfast.jsx';
import { Premium } from './premium.jsx';

// Rendered once, while the app is built: nobody is signed in then, and the browser continues from there.
export default function Page() {
  return (
    <Holdfast>
      <h1>Next</h1>
      <Premium />
    </Holdfast>
  );
}
