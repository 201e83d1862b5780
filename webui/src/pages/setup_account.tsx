// Step 4 of the wizard: the first mailbox, and what its owner types into a mail program.
import { useState } from "preact/hooks";
import { Problem, call } from "../lib/api";
import { setupUrl, type Progress } from "../lib/setup";
import type { DnsRecords } from "../lib/types";
import { Copy, Fact, Field, NewPassword, Notice, Quoted, makePassword } from "../ui/parts";
import { Qr } from "../ui/qr";
import { StepButtons, StepTitle } from "./setup_parts";

/** Host and port of a service as its SRV record says: "0 1 993 mail.example.com." */
function serviceOf(dns: DnsRecords | null, key: string): { host: string; port: string } | null {
  const words = dns?.items.find((r) => r.key === key)?.expected[0]?.split(" ");
  return words?.length === 4 ? { host: words[3]!.replace(/\.$/, ""), port: words[2]! } : null;
}

const SERVICES: [key: string, name: string, security: string][] = [
  ["srv_imaps", "Incoming mail (IMAP)", "TLS"],
  ["srv_submissions", "Outgoing mail (SMTP)", "TLS"],
];

/** What a mail program asks for; most find it by themselves. */
export function ClientSettings({ address, dns }: { address: string; dns: DnsRecords | null }) {
  const profile = `${location.origin}/mail/apple.mobileconfig?emailaddress=${encodeURIComponent(address)}`;
  return (
    <section class="sheet" aria-labelledby="client">
      <h3 id="client">In the mail program</h3>
      <p>
        Most need the address and the password only, once the records of the step before are published. By hand:
      </p>
      <dl class="facts">
        {SERVICES.map(([key, name, security]) => {
          const s = serviceOf(dns, key);
          return (
            s && (
              <Fact key={key} name={name}>
                {s.host}, port {s.port}, {security}
              </Fact>
            )
          );
        })}
        <Fact name="User name">
          <Quoted text={address} />
        </Fact>
      </dl>
      <div class="profile">
        <Qr text={profile} label="The address of the profile, for a camera" />
        <div>
          <p>
            <strong>iPhone, iPad, Mac:</strong> open this profile there, by the camera or the link. It holds all of the above but the
            password.
          </p>
          <div class="row">
            <a class="button" href={profile} download={`${address}.mobileconfig`}>
              Download the profile
            </a>
            <Copy text={profile} label="Copy its link" />
          </div>
        </div>
      </div>
    </section>
  );
}

function MakeAccount({ domain, onDone }: { domain: string; onDone: (password: string) => void }) {
  const [local, setLocal] = useState("");
  const [name, setName] = useState("");
  const [password, setPassword] = useState(makePassword);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  async function submit() {
    setBusy(true);
    setProblem(null);
    const address = local.includes("@") ? local.trim() : `${local.trim()}@${domain}`;
    try {
      await call("POST", "/accounts", { body: { address, name, password } });
      onDone(password);
    } catch (p) {
      if (!(p instanceof Problem)) throw p;
      setProblem(p);
    }
    setBusy(false);
  }
  const isElsewhere = problem && !["/address", "/name", "/password"].some((f) => problem.field(f));
  return (
    <form
      class="narrow"
      onSubmit={(e) => {
        e.preventDefault();
        void submit();
      }}
    >
      <Field
        label="Address"
        value={local}
        onValue={setLocal}
        suffix={local.includes("@") ? undefined : `@${domain}`}
        placeholder="ann"
        error={problem?.field("/address")}
        required
        autofocus
      />
      <Field label="Name of the person" value={name} onValue={setName} error={problem?.field("/name")} />
      <NewPassword value={password} onValue={setPassword} error={problem?.field("/password")} isShown />
      {isElsewhere && <Notice problem={problem} />}
      <StepButtons back={setupUrl(domain, "dns")}>
        <button class="main" disabled={isBusy}>
          {isBusy ? "Making it…" : "Make the account"}
        </button>
      </StepButtons>
    </form>
  );
}

export function SetupAccount({ domain, progress }: { domain: string; progress: Progress }) {
  const [password, setPassword] = useState("");
  const account = progress.account;
  if (!progress.isKnown) return <p class="faint">…</p>;
  if (!account)
    return (
      <>
        <StepTitle>Make the first account</StepTitle>
        <p>An account is a person, or a program, with a mailbox, a password and an address.</p>
        <MakeAccount
          domain={domain}
          onDone={(p) => {
            setPassword(p);
            progress.reload();
          }}
        />
      </>
    );
  const page = `/accounts/${encodeURIComponent(account.address)}`;
  return (
    <>
      <StepTitle>
        <Quoted text={account.address} /> is ready
      </StepTitle>
      {password ? (
        <div class="notice good">
          <p>
            Its password is <code class="secret">{password}</code> – note it now, it is not shown again.
          </p>
          <Copy text={password} label="Copy the password" />
        </div>
      ) : (
        <p>
          Its password is known to whoever made it; <a href={page}>a new one can be set</a>.
        </p>
      )}
      <ClientSettings address={account.address} dns={progress.dns} />
      <StepButtons back={setupUrl(domain, "dns")}>
        <a class="button main" href={setupUrl(domain, "mail")}>
          Continue
        </a>
      </StepButtons>
    </>
  );
}
