import { call } from '../server.ts';
import { confirmed, may } from '../session.ts';
import { useWork } from '../work.ts';
import { Failed, WorkButton } from './button.tsx';
import { Trail } from './trail.tsx';

/** The whole trail: what was done, by whom and why. */
export function Audit() {
  const work = useWork();
  return (
    <>
      <div class="page-head">
        <h1>Audit</h1>
        {may('admin') && (
          <WorkButton work={work} onClick={() => work.run(exportTrail)}>
            Export as JSON Lines
          </WorkButton>
        )}
      </div>
      <p class="hint">Every change, the newest first. Nobody can change or delete an entry from here.</p>
      <Failed work={work} />
      <section class="card" aria-label="Audit trail">
        <Trail user={null} />
      </section>
    </>
  );
}

/** The browser downloads the file itself, whatever its size. Reasons for a refusal are checked first. */
async function exportTrail(): Promise<void> {
  await confirmed(() => call('GET', '/admin/v1/session'));
  const link = document.createElement('a');
  link.href = '/admin/v1/audit/export';
  link.download = `holdfast-audit-${new Date().toISOString().slice(0, 10)}.jsonl`;
  link.click();
}
