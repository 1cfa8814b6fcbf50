/** The way to how the account can be entered. */
export function SecurityLink() {
  return (
    <section class="card" aria-labelledby="security">
      <h3 id="security">Passkeys and sessions</h3>
      <p>How you get in, where you are signed in, recovery codes, and all that is kept of you.</p>
      <div class="actions">
        <a class="button" href="#/security">
          Look after them
        </a>
      </div>
    </section>
  );
}
