import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Problem, call } from "../lib/api";
import type { Session } from "../lib/types";
import { Field, Notice } from "../ui/parts";

/** Over all there is: what a dialog holds cannot be reached from below it. */
function Over({ children }: { children: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => ref.current!.showModal(), []);
  return (
    <dialog ref={ref} class="signin over" aria-label="Sign in again" onCancel={(e) => e.preventDefault()}>
      {children}
    </dialog>
  );
}

/** The page before all pages; isAgain: over a page whose session has ended, which stays. */
export function SignIn({ onEnter, isAgain }: { onEnter: (s: Session) => void; isAgain?: boolean }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);

  async function submit() {
    setBusy(true);
    setProblem(null);
    try {
      onEnter(await call<Session>("POST", "/session", { body: { name, password }, quiet: true }));
    } catch (p) {
      if (!(p instanceof Problem)) throw p;
      setProblem(p);
      setPassword("");
    } finally {
      setBusy(false);
    }
  }

  const form = (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        void submit();
      }}
    >
      <h1>Mailstead</h1>
      {isAgain && <p>Your session has ended. Sign in to go on where you were.</p>}
      <Field label="Name" name="name" autocomplete="username" value={name} onValue={setName} required autofocus={!name} />
      <Field
        label="Password"
        name="password"
        type="password"
        autocomplete="current-password"
        value={password}
        onValue={setPassword}
        required
      />
      {problem && <Notice problem={problem} />}
      <button class="main" disabled={isBusy}>
        {isBusy ? "Signing in…" : "Sign in"}
      </button>
      <p class="hint">
        The first owner is made on the machine: <code>mailstead admin add NAME --password-stdin</code>
      </p>
    </form>
  );
  return isAgain ? <Over>{form}</Over> : <div class="signin">{form}</div>;
}
