import { origin, registerWorker, roots } from 'virtual:holdfast';
import { HoldfastProvider } from '@holdfast/react';
import { StrictMode, Suspense } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.jsx';

const options = { origin, roots };
createRoot(document.getElementById('app')).render(
  <StrictMode>
    <HoldfastProvider options={options}>
      <Suspense>
        <App />
      </Suspense>
    </HoldfastProvider>
  </StrictMode>,
);
await registerWorker();
