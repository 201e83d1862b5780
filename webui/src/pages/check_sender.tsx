import { useId, useState } from "preact/hooks";
import { Problem, call } from "../lib/api";
import type { AuthResult, AuthVerdict } from "../lib/types";
import { Copy, Fact, Field, Quoted } from "../ui/parts";

const DISPOSITIONS = {
  none: "It would be delivered.",
  quarantine: "It would go to Junk.",
  reject: "It would be refused.",
};

function Result({ name, of }: { name: string; of: AuthResult }) {
  return (
    <Fact name={`${name} ${of.result}`}>
      <Quoted text={of.reason} />
    </Fact>
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
      <pre class="field-text">
        {v.field.trimEnd().split("\r\n").map((line, i) => (
          <span key={i}>
            {i > 0 && "\n    "}
            <Quoted text={line.trim()} />
          </span>
        ))}
      </pre>
      <Copy text={v.field} label="Copy the field" />
    </>
  );
}

/** What this server would say about who sent a message, without sending it. */
export function CheckSender() {
  const id = useId();
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
        <div class="columns">
          <Field label="Address of the client" value={ip} onValue={setIp} required placeholder="192.0.2.1" />
          <Field label="It called itself (HELO)" value={helo} onValue={setHelo} />
          <Field label="Sender (MAIL FROM)" value={mailFrom} onValue={setMailFrom} />
        </div>
        <div class="field">
          <label for={id}>The message with all its headers</label>
          <textarea id={id} rows={8} required value={message} spellcheck={false} onInput={(e) => setMessage(e.currentTarget.value)} />
        </div>
        <button class="main" disabled={isBusy}>
          {isBusy ? "Checking…" : "Check"}
        </button>
      </form>
      {problem && <p role="alert">{problem.message}</p>}
      {verdict && <Found v={verdict} />}
    </details>
  );
}
