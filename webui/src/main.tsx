import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useAgain } from "./lib/again";
import { Problem, call, onSignedOut, setCsrfToken } from "./lib/api";
import { startLive, stopLive } from "./lib/live";
import { path, startRouter } from "./lib/router";
import type { Session } from "./lib/types";
import { AccountPage } from "./pages/account";
import { Accounts } from "./pages/accounts";
import { DomainPage } from "./pages/domain";
import { Domains } from "./pages/domains";
import { Journey } from "./pages/journey";
import { Messages } from "./pages/messages";
import { Overview } from "./pages/overview";
import { Queue } from "./pages/queue";
import { ReportPage, Reports } from "./pages/reports";
import { SettingsPage } from "./pages/settings";
import { Setup } from "./pages/setup";
import { SignIn } from "./pages/signin";
import { Empty, Notice } from "./ui/parts";
import { Shell, applyTheme } from "./ui/shell";

/** As it stands where it is no encoding of anything: there is no such page then. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function Room() {
  const [, room, name] = path.value.split("/").map(decoded);
  if (!room) return <Overview />;
  if (room === "messages") return name ? <Journey id={name} key={name} /> : <Messages />;
  if (room === "queue") return <Queue />;
  if (room === "domains") return name ? <DomainPage name={name} key={name} /> : <Domains />;
  if (room === "accounts") return name ? <AccountPage address={name} key={name} /> : <Accounts />;
  if (room === "settings") return <SettingsPage />;
  if (room === "setup") return <Setup />;
  if (room === "reports") return name ? <ReportPage id={name} key={name} /> : <Reports />;
  return (
    <Empty title="There is no such page">
      <p>
        <a href="/">To the overview</a>
      </p>
    </Empty>
  );
}

function App() {
  const [session, setSession] = useState<Session | null>(null);
  const [isAsked, setAsked] = useState(false);
  const [isOver, setOver] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);

  function enter(s: Session) {
    setProblem(null);
    setCsrfToken(s.csrf_token);
    setSession(s);
    setOver(false);
    startLive();
  }

  function ask() {
    call<Session>("GET", "/session", { quiet: true })
      .then(enter)
      .catch((p) => p instanceof Problem && setProblem(p.body.status === 401 ? null : p))
      .finally(() => setAsked(true));
  }
  useAgain(problem, ask);

  useEffect(() => {
    ask();
    onSignedOut(() => {
      stopLive();
      setOver(true);
    });
  }, []);

  if (problem) return <Notice problem={problem} retry={ask} />;
  if (!isAsked) return <p class="boot">Mailstead</p>;
  if (!session) return <SignIn onEnter={enter} />;
  return (
    <>
      <Shell
        session={session}
        onLeave={() => {
          setCsrfToken("");
          setSession(null);
        }}
      >
        <Room />
      </Shell>
      {isOver && <SignIn onEnter={enter} isAgain />}
    </>
  );
}

applyTheme();
startRouter();
const root = document.getElementById("app")!;
root.replaceChildren();
render(<App />, root);
