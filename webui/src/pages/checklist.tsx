// What is left of setting up, pinned on the overview until mail can come and go.
import { plural } from "../lib/format";
import { useResource } from "../lib/resource";
import { STEPS, setupUrl, useProgress, type StepId } from "../lib/setup";
import type { Domain, Page } from "../lib/types";
import { Quoted } from "../ui/parts";

const TEACH: { [s in StepId]: string } = {
  host: "Whether others find this server, and take mail from it.",
  domain: "What stands behind the @ of your addresses.",
  dns: "They bring the mail here, and prove that yours is yours.",
  account: "A person or a program with a mailbox, a password and an address.",
  mail: "One in, one out: then everything works.",
};

/** For whoever has none or one domain: more of them is no first run any more. */
export function Checklist() {
  const list = useResource<Page<Domain>>("/domains", { limit: 2 }, ["admin"]);
  const domains = list.data?.items ?? [];
  const name = domains.length === 1 ? domains[0]!.name : "";
  const progress = useProgress(name);
  if (!list.data || domains.length > 1 || !progress.isKnown) return null;
  const { done, dns } = progress;
  // The host and the test mail are on the list while the list is there; they do not keep it there:
  // health speaks of the one.
  if (done.domain && done.dns && done.account) return null;
  const next = STEPS.find(([id]) => !done[id])!;
  return (
    <section class="setup-list" aria-labelledby="setup-list">
      <div class="title">
        <h2 id="setup-list">
          {name ? (
            <>
              Finish setting up <Quoted text={name} />
            </>
          ) : (
            "Welcome: five steps to your first mail"
          )}
        </h2>
        <a class="button main" href={setupUrl(name, next[0])}>
          {name ? `Go on: ${next[1]}` : "Set up your first domain"}
        </a>
      </div>
      <ol class="setup-steps">
        {STEPS.map(([id, title]) => (
          <li key={id} class={done[id] ? "done" : ""}>
            <span class="step-mark" aria-hidden="true">
              {done[id] ? "✓" : STEPS.findIndex(([s]) => s === id) + 1}
            </span>
            <div>
              {id === "host" || (name && id !== "domain") ? <a href={setupUrl(name, id)}>{title}</a> : <strong>{title}</strong>}
              {done[id] && <span class="hidden">, done</span>}
              <p class="faint">
                {id === "dns" && dns && !done.dns
                  ? `${plural(dns.required.total - dns.required.ok, "required record is", "required records are")} not seen yet.`
                  : TEACH[id]}
              </p>
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}
