import { useState } from "preact/hooks";
import { Problem, call } from "../lib/api";
import type { AuthResult, AuthVerdict } from "../lib/types";
import { Copy, Quoted } from "../ui/parts";

const DISPOSITIONS = {
  none: "It would be delivered.",
  quarantine: "It would go to Junk.",
  reject: "It would be refused.",
};

function Result({ name, of }: { name: string; of: AuthResult }) {
  return (
    <div>
      <dt>
        {name} {of.result}
      </dt>
      <dd>
        <Quoted text={of.reason} />
      </dd>
    </div>
  );
}

function Found({ v }: { v: AuthVerdict }) {
  return (
    <>
      <p class="lead">{DISPOSITIONS[v.disposition]}</p>
      <dl class="facts">
        <Result name="Name of the address" of={v.iprev} />
        <Result name="SPF" of={v.spf ?? v.spf_helo} />
        {v.dkim.map((d, i) => (
          <Result key={i} name="DKIM" of={d} />
        ))}
        <Result name="ARC" of={v.arc} />
        <Result name="DMARC" of={v.dmarc} />
      </dl>
      <pre>
        <Quoted text={v.field} />
      </pre>
      <Copy text={v.field} label="Copy the field" />
    </>
  );
}

/** What this server would say about who sent a message, without sending it. */
export function CheckSender() {
  const [message, setMessage] = useState("");
  const [ip, setIp] = useState("");
  const [helo, setHelo] = useState("");
  const [mailFrom, setMailFrom] = useState("");
  const [verdict, setVerdict] = useState<AuthVerdict | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);

  async function check() {
    setBusy(true);
    setProblem(null);
    try {
      const body = { ip, helo, mail_from: mailFrom, message };
      setVerdict(await call<AuthVerdict>("POST", "/tools/verify-auth", { body }));
    } catch (p) {
      if (!(p instanceof Problem)) throw p;
      setVerdict(null);
      setProblem(p);
    }
    setBusy(false);
  }
  return (
    <details>
      <summary>Check who sent a message</summary>
      <p class="faint">The same checks as on the way in. Nothing is stored or sent.</p>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void check();
        }}
      >
        <label>
          Address of the client
          <input value={ip} required placeholder="192.0.2.1" onInput={(e) => setIp(e.currentTarget.value)} />
        </label>
        <label>
          It called itself (HELO)
          <input value={helo} onInput={(e) => setHelo(e.currentTarget.value)} />
        </label>
        <label>
          Sender (MAIL FROM)
          <input value={mailFrom} onInput={(e) => setMailFrom(e.currentTarget.value)} />
        </label>
        <label>
          The message with all its headers
          <textarea rows={8} required value={message} spellcheck={false} onInput={(e) => setMessage(e.currentTarget.value)} />
        </label>
        <button class="main" disabled={isBusy}>
          {isBusy ? "Checking…" : "Check"}
        </button>
      </form>
      {problem && <p role="alert">{problem.message}</p>}
      {verdict && <Found v={verdict} />}
    </details>
  );
}
