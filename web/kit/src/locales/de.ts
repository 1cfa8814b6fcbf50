import type { Catalogue } from '../words.ts';

/** The kit's texts in German, with "Sie". By English text, in ICU MessageFormat; in the order of the sources. */
const german: Catalogue = {
  'Is it you?': 'Sind Sie es?',
  'You showed your passkey more than 10 minutes ago. Show it once more, and this goes on by itself.':
    'Sie haben Ihren Passkey vor mehr als 10 Minuten gezeigt. Zeigen Sie ihn noch einmal, dann geht es von selbst weiter.',
  Cancel: 'Abbrechen',
  'Continue with a passkey': 'Mit einem Passkey fortfahren',
  'Your account was recovered with a link from support ({when}).':
    'Ihr Konto wurde mit einem Link vom Support wiederhergestellt ({when}).',
  'Your account was recovered with a recovery code ({when}).':
    'Ihr Konto wurde mit einem Wiederherstellungscode wiederhergestellt ({when}).',
  'A new passkey was added, and all sessions of that time were ended.':
    'Ein neuer Passkey kam hinzu, und alle damaligen Sitzungen wurden beendet.',
  'If that was not you, delete the passkey that you do not know, with its sessions, and make new recovery codes.':
    'Waren Sie das nicht, dann löschen Sie den Passkey, den Sie nicht kennen, samt seinen Sitzungen, und erstellen Sie neue Wiederherstellungscodes.',
  'A sign-in with a passkey was refused ({when}).': 'Eine Anmeldung mit einem Passkey wurde abgelehnt ({when}).',
  'A sign-in with the passkey {passkey} was refused ({when}).':
    'Eine Anmeldung mit dem Passkey {passkey} wurde abgelehnt ({when}).',
  'It did not ask who is there: no fingerprint, face or PIN.':
    'Er hat nicht geprüft, wer da ist: kein Fingerabdruck, kein Gesicht, keine PIN.',
  'The passkey may have been copied.': 'Der Passkey wurde möglicherweise kopiert.',
  'If that was not you, delete that passkey and add another one.':
    'Waren Sie das nicht, dann löschen Sie diesen Passkey und fügen Sie einen anderen hinzu.',
  'Something happened to your account ({when}). Look at your passkeys and sessions.':
    'Mit Ihrem Konto ist etwas geschehen ({when}). Sehen Sie sich Ihre Passkeys und Sitzungen an.',
};

export default german;
