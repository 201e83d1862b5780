// What the steps of the wizard are made of.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** Is mail for it kept elsewhere today? Then MX comes last. A word for this browser only. */
export function isMoving(domain: string): boolean {
  return localStorage.getItem(`moving ${domain}`) === "1";
}

/** The heading of a step has the focus when it comes, so that it is read and Tab goes on from it. */
export function StepTitle({ children }: { children: ComponentChildren }) {
  const ref = useRef<HTMLHeadingElement>(null);
  useEffect(() => ref.current?.focus({ preventScroll: true }), []);
  return (
    <h2 ref={ref} tabIndex={-1} class="step-title">
      {children}
    </h2>
  );
}

export function StepButtons(p: { back?: string; children: ComponentChildren }) {
  return (
    <div class="row step-buttons">
      {p.back && (
        <a class="button" href={p.back}>
          Back
        </a>
      )}
      <span class="grow" />
      {p.children}
    </div>
  );
}
