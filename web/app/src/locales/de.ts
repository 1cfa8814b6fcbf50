import shared from '@holdfast/kit/locales/de.ts';
import type { Catalogue } from '@holdfast/kit/words.ts';

/** German, with "Sie". By English text, in ICU MessageFormat; in the order of the sources. */
export const own: Catalogue = {
  Language: 'Sprache',
  "This browser's proof of premium and its settings are deleted from this browser.":
    'Der Nachweis für Premium und die Einstellungen werden aus diesem Browser gelöscht.',
  'This device holds {count} notes; the free plan allows {limit}. You can read and change them all.':
    'Auf diesem Gerät sind {count} Notizen; der Gratis-Tarif erlaubt {limit}. Sie können alle lesen und ändern.',
  'This device holds {count} notes; your plan allows {limit}. You can read and change them all.':
    'Auf diesem Gerät sind {count} Notizen; Ihr Tarif erlaubt {limit}. Sie können alle lesen und ändern.',
  'start the free trial': 'kostenlosen Test starten',
  'delete one': 'eine löschen',
  'For another one, {ways}.': 'Für eine weitere: {ways}.',
  'This device is linked.': 'Dieses Gerät ist verknüpft.',
  'Premium is on. Enjoy the trial.': 'Premium ist aktiv. Viel Freude beim Testen.',
  'This account has had its trial already.': 'Dieses Konto hat den Test schon genutzt.',
  'There is no trial here.': 'Hier gibt es keinen Test.',
  'Your notes are erased from this browser.': 'Ihre Notizen sind aus diesem Browser gelöscht.',
  'You are signed out here. The server hears of it at the next contact, or when you sign in again.':
    'Sie sind hier abgemeldet. Der Server erfährt es beim nächsten Kontakt oder wenn Sie sich wieder anmelden.',
  'That did not work, and this app does not know why. Reload the page.':
    'Das hat nicht geklappt, und die App weiß nicht, warum. Laden Sie die Seite neu.',
  'Up to date.': 'Alles aktuell.',
  'The server cannot be reached right now. What you have keeps working.':
    'Der Server ist gerade nicht erreichbar. Was Sie haben, funktioniert weiter.',
  'The server does not know this device. Sign in with your passkey.':
    'Der Server kennt dieses Gerät nicht. Melden Sie sich mit Ihrem Passkey an.',
  'This version of Fieldbook does not know the keys of this server ({code}). Reload when a new one is offered.':
    'Diese Version von Fieldbook kennt die Schlüssel dieses Servers nicht ({code}). Laden Sie neu, sobald eine neue angeboten wird.',
  'The answer was not taken: it does not prove itself ({code}).':
    'Die Antwort wurde nicht übernommen: Sie ist nicht nachweislich echt ({code}).',
  "The answer could not be kept: this browser's storage is full. Free some space on this device, then check again.":
    'Die Antwort konnte nicht gespeichert werden: Der Speicher dieses Browsers ist voll. Schaffen Sie Platz auf diesem Gerät und prüfen Sie dann erneut.',
  'The answer could not be kept: the disk may be full, or site data blocked for this page.':
    'Die Antwort konnte nicht gespeichert werden: Vielleicht ist der Datenträger voll, oder Websitedaten sind für diese Seite blockiert.',
  'A copy with {count, plural, one {# note} other {# notes}} is downloaded.':
    'Eine Kopie mit {count, plural, one {# Notiz} other {# Notizen}} ist heruntergeladen.',
  '{name} is unlinked.': '{name} ist getrennt.',
  '{count, plural, one {# note} other {# notes}} exported.':
    '{count, plural, one {# Notiz} other {# Notizen}} exportiert.',
  'Cancelled.': 'Abgebrochen.',
  'Your notes cannot be read: this browser stores nothing here. Free some space or allow site data, then reload.':
    'Ihre Notizen können nicht gelesen werden: Dieser Browser speichert hier nichts. Schaffen Sie Platz oder erlauben Sie Websitedaten, und laden Sie dann neu.',
  "The last change is not saved: this browser's storage is full or refused. Copy your text, then reload.":
    'Die letzte Änderung ist nicht gespeichert: Der Speicher dieses Browsers ist voll oder gesperrt. Kopieren Sie Ihren Text und laden Sie dann neu.',
  '{count, plural, one {# note} other {# notes}}, exported {time}.':
    '{count, plural, one {# Notiz} other {# Notizen}}, exportiert {time}.',
  'Last changed {time}': 'Zuletzt geändert {time}',
  Untitled: 'Ohne Titel',
  'The passkey is added. Give it a name that you know it by.':
    'Der Passkey ist hinzugefügt. Geben Sie ihm einen Namen, an dem Sie ihn erkennen.',
  '{name} is deleted.': '{name} ist gelöscht.',
  'The session is ended.': 'Die Sitzung ist beendet.',
  'All other sessions are ended.': 'Alle anderen Sitzungen sind beendet.',
  'All data is downloaded.': 'Alle Daten sind heruntergeladen.',
  'Your account is deleted.': 'Ihr Konto ist gelöscht.',
  "Your account is deleted, but this browser's storage does not work: clear this page's data to delete the notes.":
    'Ihr Konto ist gelöscht, aber der Speicher dieses Browsers funktioniert nicht: Löschen Sie die Daten dieser Seite, um die Notizen zu entfernen.',
  'The subscription runs until {paidThrough}.': 'Das Abo läuft bis {paidThrough}.',
  'issued {time}': 'ausgestellt {time}',
  'to be renewed from {time}': 'Erneuerung ab {time}',
  'due for renewal since {time}': 'Erneuerung fällig seit {time}',
  'subscription runs until {time}': 'Abo läuft bis {time}',
  'subscription ran until {time}': 'Abo lief bis {time}',
  'works offline until {time}': 'funktioniert offline bis {time}',
  'ended {time}': 'abgelaufen {time}',
  Notes: 'Notizen',
  Devices: 'Geräte',
  'This browser': 'Dieser Browser',
  'This device': 'Dieses Gerät',
  'Linked {linkedAt}': 'Verknüpft {linkedAt}',
  'Not linked to your account': 'Nicht mit Ihrem Konto verknüpft',
  'Unlink {other}': '{other} trennen',
  Unlink: 'Trennen',
  'Waiting for your passkey…': 'Warten auf Ihren Passkey …',
  'Sign in with a passkey': 'Mit einem Passkey anmelden',
  'Unlink {device}?': '{device} trennen?',
  'Keep it': 'Behalten',
  'Premium ends there when it is online next, at the latest when it would have had to renew. Notes stay on it.':
    'Premium endet dort, sobald das Gerät wieder online ist, spätestens wenn es erneuern müsste. Notizen bleiben darauf.',
  'Your other devices are listed here when the server can be reached.':
    'Ihre anderen Geräte stehen hier, sobald der Server erreichbar ist.',
  'To see your other devices, sign in with your passkey once more.':
    'Um Ihre anderen Geräte zu sehen, melden Sie sich noch einmal mit Ihrem Passkey an.',
  'No other device is linked to your account.': 'Kein anderes Gerät ist mit Ihrem Konto verknüpft.',
  Premium: 'Premium',
  'Not available now: {headline}.': 'Zurzeit nicht verfügbar: {headline}.',
  'This is part of premium.': 'Das gehört zu Premium.',
  Export: 'Export',
  'All notes as one Markdown file, made on this device.':
    'Alle Notizen als eine Markdown-Datei, auf diesem Gerät erstellt.',
  'Export all notes': 'Alle Notizen exportieren',
  '{done, number} of {total, number}': '{done, number} von {total, number}',
  Lock: 'Sperren',
  'While locked, Fieldbook shows nothing until your passkey opens it, also offline. This keeps out whoever picks up this device; it does not encrypt your notes.':
    'Solange Fieldbook gesperrt ist, zeigt es nichts, bis Ihr Passkey es öffnet, auch offline. Das hält fern, wer dieses Gerät in die Hand nimmt; es verschlüsselt Ihre Notizen nicht.',
  'Lock when Fieldbook opens': 'Beim Öffnen von Fieldbook sperren',
  'Lock when left alone': 'Bei Untätigkeit sperren',
  Never: 'Nie',
  'After {wait}': 'Nach {wait}',
  'Lock now': 'Jetzt sperren',
  'Start the free trial: {length}': 'Kostenlos testen: {length}',
  'Start the free trial': 'Kostenlos testen',
  'Checking…': 'Wird geprüft …',
  'Check now': 'Jetzt prüfen',
  'Passkeys and sessions': 'Passkeys und Sitzungen',
  'How you sign in, where you are signed in, recovery codes, and everything stored about you.':
    'Wie Sie sich anmelden, wo Sie angemeldet sind, Wiederherstellungscodes und alles, was über Sie gespeichert ist.',
  'Manage passkeys and sessions': 'Passkeys und Sitzungen verwalten',
  'Sign out': 'Abmelden',
  'Sign out of this device?': 'Auf diesem Gerät abmelden?',
  Stay: 'Bleiben',
  'Sign out and delete notes': 'Abmelden und Notizen löschen',
  'Premium does not work here until you sign in again. Signing out works offline, too.':
    'Premium funktioniert hier erst wieder, wenn Sie sich anmelden. Abmelden geht auch offline.',
  'What happens to your notes on this device?': 'Was geschieht mit Ihren Notizen auf diesem Gerät?',
  'Keep on this device': 'Auf diesem Gerät behalten',
  'They open again when you sign in. Anyone who can use this browser profile can read them.':
    'Sie öffnen sich wieder, wenn Sie sich anmelden. Wer dieses Browserprofil benutzen kann, kann sie lesen.',
  'Delete from this device': 'Von diesem Gerät löschen',
  '{count, plural, one {Your note is kept nowhere else and cannot be brought back.} other {Your # notes are kept nowhere else and cannot be brought back.}} Download a copy first if you want one.':
    '{count, plural, one {Ihre Notiz ist nirgends sonst gespeichert und lässt sich nicht zurückholen.} other {Ihre # Notizen sind nirgends sonst gespeichert und lassen sich nicht zurückholen.}} Laden Sie vorher eine Kopie herunter, wenn Sie eine möchten.',
  'Kept in this browser': 'In diesem Browser gespeichert',
  Reload: 'Neu laden',
  'Your notes are kept in this browser only. They are not sent anywhere. You can copy or erase them at any time, also offline.':
    'Ihre Notizen sind nur in diesem Browser gespeichert. Sie werden nirgendwohin gesendet. Sie können sie jederzeit kopieren oder löschen, auch offline.',
  'Storage used': 'Belegter Speicher',
  '{used} of {allowed}': '{used} von {allowed}',
  'Cleared when space runs out': 'Wird bei Platzmangel gelöscht',
  Possible: 'Möglich',
  'Ask the browser to keep it': 'Browser bitten, die Daten zu behalten',
  'It has not agreed. Browsers do so for apps that are installed or used often.':
    'Er hat nicht zugestimmt. Browser tun das bei Apps, die installiert sind oder oft benutzt werden.',
  'Download a copy': 'Kopie herunterladen',
  'Erase from this browser': 'Aus diesem Browser löschen',
  'Erase what this browser stores?': 'Alles löschen, was dieser Browser speichert?',
  Erase: 'Löschen',
  "{count, plural, one {Your note} other {Your # notes}}, this browser's proof of premium, and its settings are deleted from this browser. The notes are kept nowhere else: download a copy first if you want one.":
    '{count, plural, one {Ihre Notiz} other {Ihre # Notizen}}, der Nachweis für Premium und die Einstellungen werden aus diesem Browser gelöscht. Die Notizen sind nirgends sonst gespeichert: Laden Sie vorher eine Kopie herunter, wenn Sie eine möchten.',
  'Only this browser is erased, and signed out. Your account and your other devices stay as they are; premium comes back here when you sign in.':
    'Nur dieser Browser wird geleert und abgemeldet. Ihr Konto und Ihre anderen Geräte bleiben, wie sie sind; Premium kehrt hier zurück, wenn Sie sich anmelden.',
  Now: 'Jetzt',
  'Changed {time}': 'Geändert {time}',
  Delete: 'Löschen',
  Title: 'Titel',
  Text: 'Text',
  'Write…': 'Schreiben …',
  'Delete this note?': 'Diese Notiz löschen?',
  'Delete note': 'Notiz löschen',
  '“{note}” will be deleted from this device for good.': '„{note}“ wird endgültig von diesem Gerät gelöscht.',
  'Write to support': 'Support anschreiben',
  'Get help': 'Hilfe erhalten',
  'A part of the app is missing. Connect, then try again.':
    'Ein Teil der App fehlt. Stellen Sie eine Verbindung her und versuchen Sie es dann erneut.',
  'Try again': 'Erneut versuchen',
  'Search notes': 'Notizen durchsuchen',
  Search: 'Suchen',
  'New note': 'Neue Notiz',
  'See what to do': 'Lösung ansehen',
  'No notes yet. Your first one is a tap away.': 'Noch keine Notizen. Ein Tippen genügt für die erste.',
  'No note contains “{query}”.': 'Keine Notiz enthält „{query}“.',
  '{count, number} found': '{count, number} gefunden',
  'Fieldbook is locked': 'Fieldbook ist gesperrt',
  'Your notes are here, {name}. Your passkey opens them, also offline.':
    'Ihre Notizen sind hier, {name}. Ihr Passkey öffnet sie, auch offline.',
  'Unlock with a passkey': 'Mit einem Passkey entsperren',
  'Notes stay on this device and open again when you sign in. Premium does not work here until then.':
    'Notizen bleiben auf diesem Gerät und öffnen sich wieder, wenn Sie sich anmelden. Bis dahin funktioniert Premium hier nicht.',
  'Fieldbook cannot open here': 'Fieldbook lässt sich hier nicht öffnen',
  "This browser refuses to store anything for this page, or a part of the app is missing. Nothing of yours was changed. Allow site data for this page in the browser's settings, free some space, make sure that you are connected, then reload.":
    'Dieser Browser speichert für diese Seite nichts, oder ein Teil der App fehlt. An Ihren Daten wurde nichts geändert. Erlauben Sie in den Einstellungen des Browsers Websitedaten für diese Seite, schaffen Sie Platz, sorgen Sie für eine Verbindung und laden Sie dann neu.',
  'Skip to the open page': 'Zur geöffneten Seite springen',
  '{badge}: try premium': '{badge}: Premium testen',
  Account: 'Konto',
  Note: 'Notiz',
  'Choose a note, or write a new one.': 'Wählen Sie eine Notiz oder schreiben Sie eine neue.',
  'Nothing written yet.': 'Noch nichts geschrieben.',
  'On the one that is replaced, premium ends. Its notes stay on it: each device has its own.':
    'Auf dem ersetzten Gerät endet Premium. Seine Notizen bleiben darauf: Jedes Gerät hat seine eigenen.',
  'Devices in use': 'Verwendete Geräte',
  'Replace {name}': '{name} ersetzen',
  Replace: 'Ersetzen',
  'Your data': 'Ihre Daten',
  'Everything the server stores about you, as one file. Your notes are not in it: they are in this browser only.':
    'Alles, was der Server über Sie speichert, als eine Datei. Ihre Notizen sind nicht darin: Sie sind nur in diesem Browser.',
  'Download all data': 'Alle Daten herunterladen',
  'Delete account': 'Konto löschen',
  'Delete your account?': 'Ihr Konto löschen?',
  'Delete for good': 'Endgültig löschen',
  'Passkeys, subscriptions, devices and sessions are deleted on the server. Premium ends everywhere, at the latest when a device would have had to renew.':
    'Passkeys, Abos, Geräte und Sitzungen werden auf dem Server gelöscht. Premium endet überall, spätestens wenn ein Gerät erneuern müsste.',
  '{count, plural, one {Your note in this browser is deleted with it.} other {Your # notes in this browser are deleted with it.}} Download a copy first, on the account page, if you want one.':
    '{count, plural, one {Ihre Notiz in diesem Browser wird mit gelöscht.} other {Ihre # Notizen in diesem Browser werden mit gelöscht.}} Laden Sie vorher auf der Kontoseite eine Kopie herunter, wenn Sie eine möchten.',
  'Nobody can bring it back.': 'Niemand kann es zurückholen.',
  'Since you were here': 'Seit Ihrem letzten Besuch',
  'Look at passkeys and sessions': 'Passkeys und Sitzungen ansehen',
  'That was me': 'Das war ich',
  Passkeys: 'Passkeys',
  'Each of them signs you in. With two, losing one is no trouble.':
    'Mit jedem von ihnen melden Sie sich an. Haben Sie zwei, ist der Verlust eines Passkeys kein Problem.',
  'In use here': 'Hier in Gebrauch',
  'Rename {name}': '{name} umbenennen',
  Rename: 'Umbenennen',
  'Delete {name}': '{name} löschen',
  'Add a passkey': 'Passkey hinzufügen',
  Name: 'Name',
  'Delete {passkey}?': '{passkey} löschen?',
  'It will no longer work on any device. This cannot be undone.':
    'Er funktioniert dann auf keinem Gerät mehr. Das lässt sich nicht rückgängig machen.',
  'End its sessions, too': 'Auch seine Sitzungen beenden',
  '{opened, plural, one {# other session was opened with it.} other {# other sessions were opened with it.}} Whoever has the passkey is out then.':
    '{opened, plural, one {# andere Sitzung wurde damit geöffnet.} other {# andere Sitzungen wurden damit geöffnet.}} Wer den Passkey hat, ist dann draußen.',
  'Welcome back, {name}.': 'Willkommen zurück, {name}.',
  'Your new passkey works from now on.': 'Ihr neuer Passkey funktioniert ab jetzt.',
  'Old passkeys still work: delete what you have lost.':
    'Alte Passkeys funktionieren noch: Löschen Sie, was Sie verloren haben.',
  'Have you lost one of these?': 'Haben Sie eines davon verloren?',
  'No other device is linked.': 'Kein anderes Gerät ist verknüpft.',
  'You are signed in.': 'Sie sind angemeldet.',
  'Unlink what is not with you any more: premium ends there when it is online next.':
    'Trennen Sie, was Sie nicht mehr haben: Premium endet dort, sobald das Gerät wieder online ist.',
  'Other devices': 'Andere Geräte',
  'Unlink {device}': '{device} trennen',
  'Go to my notes': 'Zu meinen Notizen',
  'Passkeys and recovery codes': 'Passkeys und Wiederherstellungscodes',
  'Recovery codes': 'Wiederherstellungscodes',
  'A code lets you make a new passkey when all others are lost. Keep them on paper, or wherever you keep your keys.':
    'Mit einem Code erstellen Sie einen neuen Passkey, wenn alle anderen verloren sind. Bewahren Sie die Codes auf Papier auf oder dort, wo Ihre Schlüssel sind.',
  '{left} of 10 left, made {some}.': 'Noch {left} von 10, erstellt {some}.',
  'You have no recovery codes.': 'Sie haben keine Wiederherstellungscodes.',
  'Make new codes': 'Neue Codes erstellen',
  'Make recovery codes': 'Wiederherstellungscodes erstellen',
  'Make new recovery codes?': 'Neue Wiederherstellungscodes erstellen?',
  'Keep the old ones': 'Alte behalten',
  'The codes that you have stop working at once.': 'Ihre bisherigen Codes gelten dann sofort nicht mehr.',
  'Copied.': 'Kopiert.',
  'This browser does not let the page copy. Print them, or write them down.':
    'Dieser Browser lässt die Seite nicht kopieren. Drucken Sie die Codes oder schreiben Sie sie ab.',
  'Your recovery codes': 'Ihre Wiederherstellungscodes',
  'For {name} at {host}. They are shown this once, and each works once. Whoever has one can get in.':
    'Für {name} auf {host}. Sie werden nur dieses eine Mal gezeigt, und jeder gilt einmal. Wer einen hat, kommt hinein.',
  Copy: 'Kopieren',
  Print: 'Drucken',
  'I have kept them': 'Ich habe sie aufbewahrt',
  'It is kept by this device or your password manager, and signs you in from now on.':
    'Dieses Gerät oder Ihr Passwortmanager bewahrt ihn auf, und ab jetzt melden Sie sich damit an.',
  'One tap makes a new passkey for it.': 'Ein Tippen erstellt einen neuen Passkey dafür.',
  'Your account is ready.': 'Ihr Konto ist bereit.',
  'One tap makes a passkey for it.': 'Ein Tippen erstellt einen Passkey dafür.',
  'No password, now or later.': 'Kein Passwort, weder jetzt noch später.',
  'This link works once.': 'Dieser Link gilt einmal.',
  'Make your passkey': 'Ihren Passkey erstellen',
  'Back into your account.': 'Zurück in Ihr Konto.',
  'Make a new passkey': 'Einen neuen Passkey erstellen',
  'A code works once.': 'Ein Code gilt einmal.',
  'Use a recovery code': 'Wiederherstellungscode verwenden',
  'You made ten of them when you still had a passkey. Capitals and hyphens do not matter.':
    'Sie haben zehn davon erstellt, als Sie noch einen Passkey hatten. Groß- und Kleinschreibung und Bindestriche sind egal.',
  'You are signed in as {name} here; going on ends that.':
    'Sie sind hier als {name} angemeldet; wenn Sie fortfahren, endet das.',
  'Recovery code': 'Wiederherstellungscode',
  'Create passkey': 'Passkey erstellen',
  'Not now': 'Nicht jetzt',
  'No code left? Support can send you a link that does the same, once they know that it is you.':
    'Kein Code mehr da? Der Support kann Ihnen einen Link senden, der dasselbe tut, sobald er weiß, dass Sie es sind.',
  'They have not been shown in this browser yet, so it does not know them.':
    'Sie wurden in diesem Browser noch nicht angezeigt, deshalb kennt er sie nicht.',
  'As of {time}:': 'Stand {time}:',
  'No recovery codes.': 'Keine Wiederherstellungscodes.',
  '{left} of 10 recovery codes left.': 'Noch {left} von 10 Wiederherstellungscodes.',
  Sessions: 'Sitzungen',
  'Unknown browser': 'Unbekannter Browser',
  'To see them, sign in with your passkey once more.':
    'Um sie zu sehen, melden Sie sich noch einmal mit Ihrem Passkey an.',
  'Passkeys, recovery codes and sessions are kept by the server, which is out of reach. They appear here as soon as it answers.':
    'Passkeys, Wiederherstellungscodes und Sitzungen liegen beim Server, der nicht erreichbar ist. Sie erscheinen hier, sobald er antwortet.',
  'Asking the server…': 'Der Server wird gefragt …',
  'Where you are signed in. What a device holds to work offline stays: to take that, unlink it.':
    'Hier sind Sie angemeldet. Was ein Gerät für die Arbeit ohne Netz hat, bleibt: Um das zu beenden, trennen Sie es.',
  'This session': 'Diese Sitzung',
  'End {name}': '{name} beenden',
  End: 'Beenden',
  'End all others': 'Alle anderen beenden',
  Status: 'Status',
  '{held, number} of {allowed, number} notes': '{held, number} von {allowed, number} Notizen',
  '{held, plural, one {# note} other {# notes}}': '{held, plural, one {# Notiz} other {# Notizen}}',
  'A new version is ready': 'Eine neue Version ist bereit',
  'Another tab has a new version': 'Ein anderer Tab hat eine neue Version',
  Later: 'Später',
  'Notes that are there when the network is not.': 'Notizen, die da sind, wenn das Netz es nicht ist.',
  'Opens and works offline, premium too.': 'Öffnet sich und arbeitet ohne Netz, auch mit Premium.',
  'No password: one tap of a passkey.': 'Kein Passwort: ein Tippen mit dem Passkey.',
  'Your notes stay on this device.': 'Ihre Notizen bleiben auf diesem Gerät.',
  'Premium is free to try: {length}.': 'Premium können Sie kostenlos testen: {length}.',
  'Bring it back with my passkey': 'Mit meinem Passkey zurückholen',
  'This browser cannot use passkeys.': 'Dieser Browser kann keine Passkeys verwenden.',
  'Open Fieldbook in an up-to-date Chrome, Edge, Firefox or Safari, or on your phone.':
    'Öffnen Sie Fieldbook in einem aktuellen Chrome, Edge, Firefox oder Safari oder auf Ihrem Telefon.',
  'Create an account': 'Konto erstellen',
  'Your name': 'Ihr Name',
  'Create account': 'Konto erstellen',
  or: 'oder',
  'This device keeps no passkeys itself: use a phone nearby, or a security key.':
    'Dieses Gerät bewahrt selbst keine Passkeys auf: Verwenden Sie ein Telefon in der Nähe oder einen Sicherheitsschlüssel.',
  'This device keeps no passkeys itself: use a security key.':
    'Dieses Gerät bewahrt selbst keine Passkeys auf: Verwenden Sie einen Sicherheitsschlüssel.',
  '{name} ({number} of {count})': '{name} ({number} von {count})',
  'Linked {linked}, last seen {seen}': 'Verknüpft {linked}, zuletzt gesehen {seen}',
  'Linked {linked}, not seen since': 'Verknüpft {linked}, seitdem nicht gesehen',
  '{about}. Its place frees up {freed}': '{about}. Sein Platz wird frei: {freed}',
  'Your trial': 'Ihr Testzeitraum',
  'The trial ran': 'Der Testzeitraum lief',
  'has ended': 'ist abgelaufen',
  'To have unlimited notes and export again, get a subscription.':
    'Für unbegrenzte Notizen und Export schließen Sie ein Abo ab.',
  'The time that support gave you': 'Die vom Support gewährte Zeit',
  'It ran': 'Sie lief',
  'To have unlimited notes and export again, get a subscription, or ask support.':
    'Für unbegrenzte Notizen und Export schließen Sie ein Abo ab oder fragen Sie den Support.',
  'Your subscription': 'Ihr Abo',
  'It was cancelled, and ran': 'Es wurde gekündigt und lief',
  'There is nothing to pay. If you change your mind, subscribe again.':
    'Es ist nichts zu bezahlen. Wenn Sie es sich anders überlegen, schließen Sie wieder ein Abo ab.',
  'New accounts need an invitation here. Open the link that you were sent.':
    'Neue Konten brauchen hier eine Einladung. Öffnen Sie den Link, den Sie bekommen haben.',
  'This name cannot be used. Take a shorter, plain one.':
    'Dieser Name geht nicht. Nehmen Sie einen kürzeren, einfachen.',
  'This code is not right, or it was used already. Look at each letter once more, or take another code.':
    'Dieser Code stimmt nicht oder wurde schon verwendet. Prüfen Sie jeden Buchstaben noch einmal oder nehmen Sie einen anderen Code.',
  'This link was used already, or it is too old. Ask support for a new one.':
    'Dieser Link wurde schon verwendet oder ist zu alt. Bitten Sie den Support um einen neuen.',
  'This device still holds a passkey for this account. Go back and sign in with it.':
    'Dieses Gerät hat noch einen Passkey für dieses Konto. Gehen Sie zurück und melden Sie sich damit an.',
  'This account has 20 passkeys, which is all that it can have. Sign in with one of them.':
    'Dieses Konto hat 20 Passkeys, mehr kann es nicht haben. Melden Sie sich mit einem davon an.',
  'This device, or its password manager, holds a passkey for your account already. Add one on another device.':
    'Dieses Gerät oder sein Passwortmanager hat schon einen Passkey für Ihr Konto. Fügen Sie einen auf einem anderen Gerät hinzu.',
  'You have 20 passkeys, which is all that an account can have. Delete one first.':
    'Sie haben 20 Passkeys, mehr kann ein Konto nicht haben. Löschen Sie zuerst einen.',
  'This passkey is not there any more.': 'Diesen Passkey gibt es nicht mehr.',
  'That passkey is of another account, so nothing was done. Try again, and choose one of yours.':
    'Dieser Passkey gehört zu einem anderen Konto, deshalb wurde nichts getan. Versuchen Sie es erneut und wählen Sie einen von Ihren.',
  'This browser stores nothing for this page just now, so nothing was deleted and you are still signed in. Free some space, or allow site data, then reload.':
    'Dieser Browser speichert für diese Seite gerade nichts, deshalb wurde nichts gelöscht, und Sie sind noch angemeldet. Schaffen Sie Platz oder erlauben Sie Websitedaten, und laden Sie dann neu.',
  'This device could not be unlocked again: it has to hear from the server first. Connect, then check now.':
    'Dieses Gerät ließe sich nicht wieder entsperren: Es muss zuerst vom Server hören. Stellen Sie eine Verbindung her und prüfen Sie dann.',
  'The passkey prompt was not answered in time. Try again.':
    'Die Passkey-Abfrage wurde nicht rechtzeitig beantwortet. Versuchen Sie es erneut.',
  'The server cannot be reached right now. Your notes are safe here; try again when you are online.':
    'Der Server ist gerade nicht erreichbar. Ihre Notizen sind hier sicher; versuchen Sie es erneut, wenn Sie online sind.',
  'This browser or device cannot use passkeys. Try another browser, or a phone nearby.':
    'Dieser Browser oder dieses Gerät kann keine Passkeys verwenden. Versuchen Sie es mit einem anderen Browser oder einem Telefon in der Nähe.',
  'The passkey prompt failed. A password manager in this browser may be in the way: try again, or without it.':
    'Die Passkey-Abfrage ist fehlgeschlagen. Vielleicht ist ein Passwortmanager in diesem Browser im Weg: Versuchen Sie es erneut oder ohne ihn.',
  'This device already holds a passkey for this account. Sign in with it.':
    'Dieses Gerät hat schon einen Passkey für dieses Konto. Melden Sie sich damit an.',
  'Passkeys do not work at this address. Open the app at its usual address.':
    'Passkeys funktionieren unter dieser Adresse nicht. Öffnen Sie die App unter ihrer üblichen Adresse.',
  'This passkey was not accepted. Try another one. If none is, the account may have been deleted, or the server reinstalled: ask support, or create a new account.':
    'Dieser Passkey wurde nicht angenommen. Versuchen Sie einen anderen. Wird keiner angenommen, wurde das Konto vielleicht gelöscht oder der Server neu eingerichtet: Fragen Sie den Support oder erstellen Sie ein neues Konto.',
  'This device does not know this passkey. Take the one that you sign in with, or sign in while online.':
    'Dieses Gerät kennt diesen Passkey nicht. Nehmen Sie den, mit dem Sie sich anmelden, oder melden Sie sich an, wenn Sie online sind.',
  'This passkey did not prove itself. Try again, or sign in while online.':
    'Dieser Passkey konnte sich nicht ausweisen. Versuchen Sie es erneut oder melden Sie sich an, wenn Sie online sind.',
  'What this device would check your passkey with is missing. Connect, then sign in: your notes are still here.':
    'Diesem Gerät fehlt, womit es Ihren Passkey prüfen würde. Stellen Sie eine Verbindung her und melden Sie sich dann an: Ihre Notizen sind noch da.',
  'This is your only way in. Add another passkey or make recovery codes first, then delete it.':
    'Das ist Ihr einziger Zugang. Fügen Sie zuerst einen anderen Passkey hinzu oder erstellen Sie Wiederherstellungscodes, und löschen Sie ihn dann.',
  'This took too long or was used already. Try again.':
    'Das hat zu lange gedauert oder wurde schon verwendet. Versuchen Sie es erneut.',
  'For this, sign in with your passkey once more.': 'Melden Sie sich dafür noch einmal mit Ihrem Passkey an.',
  'Too many tries in a short time. Try again in {wait}.':
    'Zu viele Versuche in kurzer Zeit. Nächster Versuch möglich in: {wait}.',
  'Too many tries in a short time. Try again later.':
    'Zu viele Versuche in kurzer Zeit. Versuchen Sie es später erneut.',
  'This page is not allowed to do that from here. Open the app at its usual address.':
    'Diese Seite darf das von hier aus nicht. Öffnen Sie die App unter ihrer üblichen Adresse.',
  'The server is busy. Try again in a moment.': 'Der Server ist ausgelastet. Versuchen Sie es gleich noch einmal.',
  'This browser stores nothing for this page: the disk may be full, or site data blocked. Free some space, or allow site data in the settings, then reload.':
    'Dieser Browser speichert für diese Seite nichts: Vielleicht ist der Datenträger voll, oder Websitedaten sind blockiert. Schaffen Sie Platz oder erlauben Sie Websitedaten in den Einstellungen, und laden Sie dann neu.',
  'This browser cannot keep a key for this device, so premium cannot work offline here.':
    'Dieser Browser kann keinen Schlüssel für dieses Gerät aufbewahren, deshalb funktioniert Premium hier nicht offline.',
  'A part of the app is missing. Connect and reload the page.':
    'Ein Teil der App fehlt. Stellen Sie eine Verbindung her und laden Sie die Seite neu.',
  'The server did not understand this. Reload the page, then try again.':
    'Der Server hat das nicht verstanden. Laden Sie die Seite neu und versuchen Sie es dann erneut.',
  "Your plan's devices are all in use. Choose one that this device replaces, or wait until a place frees up.":
    'Alle Geräte Ihres Tarifs sind in Gebrauch. Wählen Sie eines, das dieses Gerät ersetzt, oder warten Sie, bis ein Platz frei wird.',
  'That did not work ({code}). Try again.': 'Das hat nicht geklappt ({code}). Versuchen Sie es erneut.',
  'No passkey was chosen. If none of yours is here, use a phone that has one, or a recovery code.':
    'Es wurde kein Passkey gewählt. Ist hier keiner von Ihnen, nehmen Sie ein Telefon, das einen hat, oder einen Wiederherstellungscode.',
  'Still locked: no passkey was chosen. Try again with one that you sign in with.':
    'Noch gesperrt: Es wurde kein Passkey gewählt. Versuchen Sie es mit einem, mit dem Sie sich anmelden.',
  'No passkey was made. Try again when you are ready.':
    'Es wurde kein Passkey erstellt. Versuchen Sie es erneut, wenn Sie so weit sind.',
  'Nothing has changed.': 'Nichts hat sich geändert.',
  'Synced between your devices': 'Zwischen Ihren Geräten synchronisiert',
  'On one device only': 'Nur auf einem Gerät',
  '{where}. Added {added}, last used {used}.': '{where}. Hinzugefügt {added}, zuletzt verwendet {used}.',
  '{where}. Added {added}, not used yet.': '{where}. Hinzugefügt {added}, noch nicht verwendet.',
  'Signed in {begun} with {opener}.': 'Angemeldet {begun} mit {opener}.',
  'Signed in {begun} with a passkey that is deleted.': 'Angemeldet {begun} mit einem Passkey, der gelöscht ist.',
  'Signed in {begun}.': 'Angemeldet {begun}.',
  'Last active {active}.': 'Zuletzt aktiv {active}.',
  'If no passkey of yours is accepted, the account may have been deleted, or the server reinstalled: ask support, or create a new account.':
    'Wird keiner Ihrer Passkeys angenommen, wurde das Konto vielleicht gelöscht oder der Server neu eingerichtet: Fragen Sie den Support oder erstellen Sie ein neues Konto.',
  'All your notes stay readable and editable.': 'Alle Ihre Notizen können Sie weiter lesen und bearbeiten.',
  'its end': 'zum Ende',
  'This device has to be linked again': 'Dieses Gerät muss neu verknüpft werden',
  "The server knows a later state of this device than what is here, as after a backup was restored or this browser's data were copied. Premium is paused here. {kept}":
    'Der Server kennt von diesem Gerät einen späteren Stand, als hier vorliegt, etwa weil eine Sicherung zurückgespielt oder die Daten dieses Browsers kopiert wurden. Premium ist hier pausiert. {kept}',
  'Sign in with your passkey to link this device again. If you have restored or copied nothing, look at your devices and passkeys.':
    'Melden Sie sich mit Ihrem Passkey an, um dieses Gerät wieder zu verknüpfen. Haben Sie nichts zurückgespielt oder kopiert, dann prüfen Sie Ihre Geräte und Passkeys.',
  'This device was removed from your account': 'Dieses Gerät wurde aus Ihrem Konto entfernt',
  'It was removed on another device or by support, so premium is paused here. {kept}':
    'Es wurde auf einem anderen Gerät oder vom Support entfernt, deshalb ist Premium hier pausiert. {kept}',
  'Sign in with your passkey to link this device again.':
    'Melden Sie sich mit Ihrem Passkey an, um dieses Gerät wieder zu verknüpfen.',
  'Premium is on, but this device is no longer linked': 'Premium ist aktiv, aber dieses Gerät ist nicht mehr verknüpft',
  '{features} This ends {until}.': '{features} Das endet {until}.',
  'Sign in with your passkey to link this device and keep premium. {unknownAccount}':
    'Melden Sie sich mit Ihrem Passkey an, um dieses Gerät zu verknüpfen und Premium zu behalten. {unknownAccount}',
  'Sign in again to keep premium beyond {until}.':
    'Melden Sie sich wieder an, um Premium über {until} hinaus zu behalten.',
  '{what} {ended}; premium stays on a little longer': '{what} {ended}; Premium bleibt noch kurze Zeit',
  '{features} {ran} until {paidThrough}. Premium ends {until}.':
    '{features} {ran} bis {paidThrough}. Premium endet {until}.',
  '{what} {ended}. Premium stays until {until}.': '{what} {ended}. Premium bleibt bis {until}.',
  'Premium is on; its renewal is not confirmed here yet':
    'Premium ist aktiv; die Verlängerung ist hier noch nicht bestätigt',
  '{features} It was to be renewed {paidThrough}, and this device has not heard from the server since. Without news this ends {until}.':
    '{features} Die Verlängerung war {paidThrough} fällig, und dieses Gerät hat seitdem nichts vom Server gehört. Ohne Nachricht endet das {until}.',
  'Connect to the internet. If it was renewed, there is nothing else to do: premium simply goes on.':
    'Stellen Sie eine Internetverbindung her. Wurde verlängert, ist sonst nichts zu tun: Premium läuft einfach weiter.',
  'The renewal is not confirmed here yet. Premium stays until {until}.':
    'Die Verlängerung ist hier noch nicht bestätigt. Premium bleibt bis {until}.',
  'Premium is on, but a payment is missing': 'Premium ist aktiv, aber eine Zahlung fehlt',
  '{features} Without the payment this ends {until}.': '{features} Ohne die Zahlung endet das {until}.',
  'Renew your payment; premium then simply goes on.': 'Erneuern Sie Ihre Zahlung; Premium läuft dann einfach weiter.',
  'The server is out of reach. Premium stays until {until}.':
    'Der Server ist nicht erreichbar. Premium bleibt bis {until}.',
  'A payment is missing. Premium stays until {until}.': 'Eine Zahlung fehlt. Premium bleibt bis {until}.',
  'Premium is on': 'Premium ist aktiv',
  'It runs until {paidThrough}.': 'Es läuft bis {paidThrough}.',
  'The server is out of reach. Premium until {until}, all saved here.':
    'Server nicht erreichbar. Premium bis {until}, alles hier gespeichert.',
  'A payment is disputed': 'Eine Zahlung ist strittig',
  'The bank wants a payment back since {since}.': 'Die Bank verlangt seit {since} eine Zahlung zurück.',
  'The bank wants a payment back.': 'Die Bank verlangt eine Zahlung zurück.',
  'Premium is paused until that is settled.': 'Premium ist pausiert, bis das geklärt ist.',
  'Ask support what is open. When the payment stands, premium comes back by itself.':
    'Fragen Sie den Support, was offen ist. Bleibt es bei der Zahlung, kehrt Premium von selbst zurück.',
  'Support has paused this subscription': 'Der Support hat dieses Abo pausiert',
  'It has been paused since {since}.': 'Es ist seit {since} pausiert.',
  'Premium is paused with it.': 'Premium ist damit auch pausiert.',
  'Ask support what is open. When the pause ends, premium comes back by itself.':
    'Fragen Sie den Support, was offen ist. Endet die Pause, kehrt Premium von selbst zurück.',
  'Support has ended this subscription': 'Der Support hat dieses Abo beendet',
  'It ended {since}, and premium with it.': 'Es endete {since}, und Premium mit ihm.',
  'If you think this is a mistake, write to support. When it is put right, premium comes back by itself.':
    'Wenn Sie das für einen Fehler halten, schreiben Sie dem Support. Wird er behoben, kehrt Premium von selbst zurück.',
  '{ran} until {paidThrough}.': '{ran} bis {paidThrough}.',
  'Your subscription is over': 'Ihr Abo ist zu Ende',
  'Renew the subscription to get unlimited notes and export back.':
    'Verlängern Sie das Abo, um unbegrenzte Notizen und Export zurückzubekommen.',
  '{what} {ended}, as far as this device knows': '{what} {ended}, soweit dieses Gerät weiß',
  'If you have subscribed since, connect to the internet: premium then comes back by itself. {again}':
    'Haben Sie inzwischen ein Abo abgeschlossen, stellen Sie eine Internetverbindung her: Premium kehrt dann von selbst zurück. {again}',
  'Connect to renew premium': 'Verbinden Sie sich, um Premium zu erneuern',
  'Premium worked offline until {until}. The subscription was to be renewed {paidThrough}, and this device has not heard from the server since. {kept}':
    'Premium funktionierte offline bis {until}. Die Verlängerung war {paidThrough} fällig, und dieses Gerät hat seitdem nichts vom Server gehört. {kept}',
  'Connect to the internet. If it was renewed, premium comes back by itself.':
    'Stellen Sie eine Internetverbindung her. Wurde verlängert, kehrt Premium von selbst zurück.',
  'Premium is paused: connect to renew it.': 'Premium ist pausiert: Verbinden Sie sich, um es zu erneuern.',
  'Premium worked offline until {until} and now has to ask the server.':
    'Premium funktionierte offline bis {until} und muss jetzt den Server fragen.',
  'Premium now has to ask the server.': 'Premium muss jetzt den Server fragen.',
  'The server is out of reach. As soon as it can be reached, premium comes back by itself.':
    'Der Server ist nicht erreichbar. Sobald er es ist, kehrt Premium von selbst zurück.',
  'Connect to the internet; premium then comes back by itself.':
    'Stellen Sie eine Internetverbindung her; Premium kehrt dann von selbst zurück.',
  "This device's clock is behind by {behind} or more": 'Die Uhr dieses Geräts geht mindestens {behind} nach',
  'It shows {now}, which is earlier than a time already seen, so premium is paused. {kept}':
    'Sie zeigt {now}, und das ist früher als eine schon gesehene Zeit; deshalb ist Premium pausiert. {kept}',
  'Set the clock right, and premium is back at once, offline too. Connecting to the internet brings it back as well.':
    'Stellen Sie die Uhr richtig, dann ist Premium sofort zurück, auch offline. Auch eine Internetverbindung bringt es zurück.',
  "Premium is paused: this device's clock is behind by {behind} or more. Set it right, or connect.":
    'Premium ist pausiert: Die Uhr dieses Geräts geht mindestens {behind} nach. Stellen Sie sie richtig oder verbinden Sie sich.',
  'Not linked': 'Nicht verknüpft',
  'This device is not linked to your account': 'Dieses Gerät ist nicht mit Ihrem Konto verknüpft',
  'You can keep up to {freeNotes} notes here. {kept}': 'Sie können hier bis zu {freeNotes} Notizen haben. {kept}',
  'Sign in with your passkey to link it and bring back what you have. {unknownAccount}':
    'Melden Sie sich mit Ihrem Passkey an, um es zu verknüpfen und zurückzuholen, was Sie haben. {unknownAccount}',
  'This device is not linked. Sign in to bring back what you have.':
    'Dieses Gerät ist nicht verknüpft. Melden Sie sich an, um zurückzuholen, was Sie haben.',
  'Connect to see what you have': 'Verbinden Sie sich, um zu sehen, was Sie haben',
  'Nothing that is stored on this device proves what you have ({error}).':
    'Nichts, was auf diesem Gerät gespeichert ist, belegt, was Sie haben ({error}).',
  'Nothing that is stored on this device says what you have.':
    'Nichts, was auf diesem Gerät gespeichert ist, sagt, was Sie haben.',
  'Connect to the internet: the server then says so by itself.':
    'Stellen Sie eine Internetverbindung her: Der Server sagt es dann von selbst.',
  Free: 'Gratis',
  'You are on the free plan': 'Sie nutzen den Gratis-Tarif',
  'Up to {freeNotes} notes on this device, also offline. Premium adds unlimited notes and export.':
    'Bis zu {freeNotes} Notizen auf diesem Gerät, auch offline. Mit Premium kommen unbegrenzte Notizen und Export hinzu.',
  'Ask support how to get premium.': 'Fragen Sie den Support, wie Sie Premium bekommen.',
  'The server is out of reach. Your notes are saved here.':
    'Der Server ist nicht erreichbar. Ihre Notizen sind hier gespeichert.',
  'Works offline until': 'Funktioniert offline bis',
  'Next check due': 'Nächste Prüfung fällig',
  'as soon as it can be reached': 'sobald er erreichbar ist',
  'Ran until': 'Lief bis',
  'To be renewed': 'Verlängerung fällig',
  'Runs until': 'Läuft bis',
  'Worked offline until': 'Funktionierte offline bis',
  'Last heard from the server': 'Zuletzt vom Server gehört',
  'Premium ended {end}.': 'Premium endete {end}.',
  'It ran until {paid}, and premium ended {end}.': 'Es lief bis {paid}, und Premium endete {end}.',
  'It ran until {paid}.': 'Es lief bis {paid}.',
  'unlimited notes': 'unbegrenzte Notizen',
  'up to {limit} notes': 'bis zu {limit} Notizen',
  export: 'Export',
  'You have what your plan grants, also offline.': 'Sie haben, was Ihr Tarif bietet, auch offline.',
  'You have {features}, also offline.': 'Sie haben {features}, auch offline.',
  'Premium has ended: {headline}.': 'Premium ist zu Ende: {headline}.',
  'Premium is paused: {headline}.': 'Premium ist pausiert: {headline}.',
  Ended: 'Beendet',
  Paused: 'Pausiert',
  'Not known': 'Unbekannt',
  "This browser's storage is full": 'Der Speicher dieses Browsers ist voll',
  'What is here can be read, and premium works until the end below. Changes may not be kept.':
    'Was hier ist, lässt sich lesen, und Premium funktioniert bis zu dem unten genannten Ende. Änderungen bleiben vielleicht nicht erhalten.',
  'Free some space on this device, then reload.': 'Schaffen Sie Platz auf diesem Gerät und laden Sie dann neu.',
  'Storage is full: changes may not be kept. Free some space, then reload.':
    'Der Speicher ist voll: Änderungen bleiben vielleicht nicht erhalten. Schaffen Sie Platz und laden Sie dann neu.',
  'Another tab holds an older version of Fieldbook': 'Ein anderer Tab hat eine ältere Version von Fieldbook offen',
  'Until it is closed, this tab cannot get at what is kept here. Nothing is lost.':
    'Bis er geschlossen ist, kommt dieser Tab nicht an das heran, was hier gespeichert ist. Nichts ist verloren.',
  'Close the other tabs of Fieldbook. This one then goes on by itself.':
    'Schließen Sie die anderen Tabs von Fieldbook. Dieser macht dann von selbst weiter.',
  'Close the other tabs of Fieldbook: one of them is of an older version and is in the way.':
    'Schließen Sie die anderen Tabs von Fieldbook: Einer davon hat eine ältere Version und ist im Weg.',
  'This tab is of an older version of Fieldbook': 'Dieser Tab hat eine ältere Version von Fieldbook',
  'It goes on working. What is kept here was written by a newer version.':
    'Er funktioniert weiter. Was hier gespeichert ist, hat eine neuere Version geschrieben.',
  'Reload to get the newer version.': 'Laden Sie neu, um die neuere Version zu bekommen.',
  'There is a newer version of Fieldbook here. Reload to get it.':
    'Hier gibt es eine neuere Version von Fieldbook. Laden Sie neu, um sie zu bekommen.',
  "This browser's storage does not work": 'Der Speicher dieses Browsers funktioniert nicht',
  'What you have is tried to be read again by itself. Nothing of it was changed.':
    'Fieldbook versucht von selbst, Ihre Daten wieder zu lesen. Nichts davon wurde geändert.',
  "If this stays, the disk may be full, or site data blocked for this page: free some space, or allow site data in the browser's settings, then reload.":
    'Bleibt das so, ist vielleicht der Datenträger voll, oder Websitedaten sind für diese Seite blockiert: Schaffen Sie Platz oder erlauben Sie Websitedaten in den Einstellungen des Browsers, und laden Sie dann neu.',
  'This browser stores nothing here: free some space or allow site data, then reload.':
    'Dieser Browser speichert hier nichts: Schaffen Sie Platz oder erlauben Sie Websitedaten, und laden Sie dann neu.',
  'This browser has lost what Fieldbook kept here': 'Dieser Browser hat verloren, was Fieldbook hier gespeichert hatte',
  'It was cleared or could not be read any more; notes that were only here may be gone with it. Your account and all that you paid for are safe.':
    'Es wurde gelöscht oder war nicht mehr lesbar; Notizen, die nur hier waren, sind vielleicht mit verloren. Ihr Konto und alles, wofür Sie bezahlt haben, sind sicher.',
  'One tap of your passkey brings it back, and this device takes its old place.':
    'Ein Tippen mit Ihrem Passkey holt es zurück, und dieses Gerät nimmt seinen alten Platz wieder ein.',
  'This browser has lost what was kept here. Sign in to bring back what you have.':
    'Dieser Browser hat verloren, was hier gespeichert war. Melden Sie sich an, um zurückzuholen, was Sie haben.',
  'Fieldbook does not open offline here just now': 'Fieldbook lässt sich hier gerade nicht offline öffnen',
  'This browser has cleared a part of the app. Your notes and what you have are untouched.':
    'Dieser Browser hat einen Teil der App gelöscht. Ihre Notizen und was Sie haben sind unberührt.',
  'Keep Fieldbook open and connected for a moment: the part is fetched again by itself.':
    'Lassen Sie Fieldbook einen Moment offen und verbunden: Der Teil wird von selbst wieder geholt.',
  'This browser has cleared a part of the app: stay connected until it is fetched again.':
    'Dieser Browser hat einen Teil der App gelöscht: Bleiben Sie verbunden, bis er wieder geholt ist.',
};

export default { ...shared, ...own } satisfies Catalogue;
