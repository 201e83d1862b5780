// node story.mjs: URL, NAME, PASSWORD, SHOTS, and the helper commands in the environment; see
// README.md. Prints a line for each step and "N passed, N failed".
import { execFileSync } from "node:child_process";
import { driver } from "./driver.mjs";

const { URL: BASE, NAME, PASSWORD, SHOTS, SEND_IN, SUBMIT, NAMES } = process.env;
const ANN = "kim@shop.example";

const { page, context, complaints, step, must, until, axe, finish } = await driver({
  shots: `${SHOTS}/failed`,
});

let requests = [];
page.on("request", (r) => {
  requests.push(r.url());
  if (!r.url().startsWith(BASE) && !r.url().startsWith("data:"))
    complaints.push(`request to ${r.url()}`);
});

async function theme(word) {
  await page.getByLabel("Theme").selectOption(word);
}

async function shot(name) {
  await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });
}

await step("the first page is small, strict and its own", async () => {
  const answer = await page.goto(BASE + "/");
  const h = answer.headers();
  must(/default-src 'none'/.test(h["content-security-policy"] ?? ""), "Content-Security-Policy");
  must(/require-trusted-types-for/.test(h["content-security-policy"]), "trusted types");
  must(h["x-content-type-options"] === "nosniff", "nosniff");
  must(h["referrer-policy"] === "no-referrer", "Referrer-Policy");
  await page.getByRole("heading", { name: "Mailstead" }).waitFor();
  must(requests.length <= 6, `${requests.length} requests: ${requests.join(" ")}`);
  await axe("sign-in");
});

await step("a wrong password is refused and nothing is shown", async () => {
  await page.getByLabel("Name").fill(NAME);
  await page.getByLabel("Password").fill("not this one");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  must((await page.getByRole("navigation", { name: "Rooms" }).count()) === 0, "no rooms");
});

await step("the owner signs in", async () => {
  await page.getByLabel("Name").fill(NAME);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  const cookies = await context.cookies();
  const session = cookies.find((c) => /mailstead/.test(c.name));
  must(session?.httpOnly && session.sameSite === "Strict", "cookie HttpOnly and SameSite=Strict");
  if (BASE.startsWith("https:")) must(session.secure && session.name.startsWith("__Host-"), "__Host- cookie");
});

await step("a domain is added", async () => {
  await page.getByRole("link", { name: "Domains" }).click();
  await page.getByRole("button", { name: "Add domain" }).first().click();
  await page.getByRole("dialog").getByLabel("Domain").fill("not a domain");
  await page.getByRole("dialog").getByRole("button", { name: "Add domain" }).click();
  await page.getByRole("dialog").locator(".error, .notice").first().waitFor();
  await axe("dialog with an error");
  await page.getByRole("dialog").getByLabel("Domain").fill("shop.example");
  await page.getByRole("dialog").getByRole("button", { name: "Add domain" }).click();
  await page.getByRole("link", { name: "shop.example" }).waitFor();
});

await step("an account is added", async () => {
  await page.getByRole("link", { name: "Accounts", exact: true }).click();
  await page.getByRole("button", { name: "Add account" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Address").fill(ANN);
  await dialog.getByLabel("Name of the person").fill("Kim");
  await dialog.getByRole("button", { name: "Make one" }).click();
  must((await dialog.getByLabel("Password").inputValue()).length >= 16, "a long password was made");
  await dialog.getByRole("button", { name: "Add account" }).click();
  await page.getByRole("link", { name: ANN }).waitFor();
});

await step("an alias is added and resolves", async () => {
  await page.getByRole("button", { name: "Add alias" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Address").fill("sales@shop.example");
  await dialog.getByLabel("Goes to").fill(ANN);
  await dialog.getByRole("button", { name: "Add alias" }).click();
  await page.getByRole("cell", { name: "sales@shop.example" }).waitFor();
  await page.getByLabel("Any address").fill("sales@shop.example");
  await page.getByRole("button", { name: "Look" }).click();
  await page.locator(".tree").getByText(ANN).waitFor();
  await page.getByLabel("Any address").fill(ANN);
  await page.getByRole("button", { name: "Look" }).click();
  await page.locator(".tree").getByText("a mailbox here").waitFor();
  await page.locator(".tree").getByText("an alias").waitFor({ state: "detached" });
  await page.goBack();
  await page.locator(".tree").getByText("an alias").waitFor();
  must((await page.getByLabel("Any address").inputValue()) === "sales@shop.example", "the field goes back as well");
});

await step("a mail is seen coming in, found and told step by step", async () => {
  await page.getByRole("link", { name: "Overview" }).click();
  execFileSync("sh", ["-c", SEND_IN], { env: { ...process.env, RCPT: ANN, SUBJECT: "First <b>mail</b>" } });
  await page.getByRole("cell", { name: ANN }).first().waitFor();
  await page.getByRole("searchbox", { name: /Find a message/ }).fill(`to:${ANN}`);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Messages" }).waitFor();
  await page.getByRole("cell", { name: "First <b>mail</b>" }).waitFor();
  await page.locator("tbody tr").first().getByRole("link").first().click();
  await page.getByRole("heading", { name: "Journey" }).waitFor();
  await page.locator(".journey").getByText(/Accepted from/).waitFor();
  await page.locator(".journey").getByText(/INBOX/).waitFor();
  await page.getByLabel("Protocol details").check();
  await page.locator(".journey pre").first().waitFor();
  await axe("journey");
  await shot("journey");
});

await step("a refusal is found as well", async () => {
  execFileSync("sh", ["-c", `${SEND_IN} || true`], { env: { ...process.env, RCPT: "nobody@shop.example", SUBJECT: "x" } });
  await until(async () => {
    await page.goto(`${BASE}/messages?q=${encodeURIComponent("to:nobody@shop.example")}`);
    await page.locator("tbody tr, .empty").first().waitFor();
    return (await page.locator("tbody").getByText("refused").count()) > 0;
  }, "refusal listed");
});

await step("a waiting message shows its reason and is retried", async () => {
  execFileSync("sh", ["-c", SUBMIT], { env: { ...process.env, RCPT: "x@down.odd.example", SUBJECT: "to a dead host" } });
  await page.getByRole("link", { name: /^Queue/ }).click();
  const row = page.locator("tbody tr", { hasText: "x@down.odd.example" });
  await row.waitFor();
  await until(async () => Number(await row.locator('td[data-name="Tries"]').textContent()) >= 1, "a try");
  await until(async () => !/no try yet/.test(await row.locator('td[data-name="Why"]').textContent()), "a reason");
  const before = Number(await row.locator('td[data-name="Tries"]').textContent());
  await row.getByRole("button", { name: "Retry" }).click();
  await page.getByRole("status").getByText(/set to try now/).waitFor();
  await until(async () => Number(await row.locator('td[data-name="Tries"]').textContent()) > before, "another try");
  await shot("queue");
});

await step("the keyboard alone holds it, and undo lets it go", async () => {
  await page.keyboard.press("j");
  await page.keyboard.press("h");
  await page.locator("tbody tr").first().locator('td[data-name="State"]', { hasText: "held" }).waitFor();
  await page.keyboard.press("u");
  await until(async () => (await page.locator("tbody tr", { hasText: "held" }).count()) === 0, "released");
  await page.keyboard.press("g");
  await page.keyboard.press("d");
  await page.getByRole("heading", { name: "Domains" }).waitFor();
});

await step("the queue is put in another order by its heads, which say so", async () => {
  await page.getByRole("link", { name: /^Queue/ }).click();
  const head = page.getByRole("columnheader", { name: "Next try" });
  await head.getByRole("button").click();
  await page.locator('th[aria-sort="ascending"]', { hasText: "Next try" }).waitFor();
  must(page.url().includes("sort=next"), page.url());
  await head.getByRole("button").click();
  await page.locator('th[aria-sort="descending"]', { hasText: "Next try" }).waitFor();
  await page.getByRole("cell", { name: "x@down.odd.example" }).waitFor();
  await axe("sorted queue");
});

await step("many at once: a plan first, then exactly that", async () => {
  await page.getByRole("link", { name: /^Queue/ }).click();
  await page.getByLabel("Select all on this page").check();
  await page.getByRole("toolbar").getByRole("button", { name: "Delete" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("x@down.odd.example").waitFor();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await page.getByText("Nothing waiting").waitFor();
});

await step("a returned message and its report lead to each other", async () => {
  execFileSync("sh", ["-c", SUBMIT], { env: { ...process.env, RCPT: "x@missing.odd.example", SUBJECT: "to nowhere" } });
  await until(async () => {
    await page.goto(`${BASE}/messages?q=${encodeURIComponent("to:x@missing.odd.example verdict:bounced")}`);
    await page.locator("tbody tr, .empty").first().waitFor();
    return (await page.locator("tbody tr").count()) === 1;
  }, "returned");
  await page.locator("tbody tr").first().getByRole("link").click();
  const returned = page.url();
  await page.locator(".journey .step", { hasText: "was told about" }).getByRole("link").click();
  await page.getByRole("heading", { name: /Undelivered mail/ }).waitFor();
  await page.locator(".journey").getByText("Accepted from <>").waitFor();
  await page.locator(".journey .step", { hasText: "It tells about" }).getByRole("link").click();
  await page.getByRole("heading", { name: "to nowhere" }).waitFor();
  must(page.url() === returned, page.url());
});

await step("what is new waits, and the list does not jump", async () => {
  await page.goto(`${BASE}/messages`);
  await page.locator("tbody tr").first().waitFor();
  await page.getByText("live", { exact: false }).first().waitFor();
  must((await page.locator(".news").count()) === 0, "no news without any");
  const before = await page.locator("tbody tr").count();
  execFileSync("sh", ["-c", SEND_IN], { env: { ...process.env, RCPT: ANN, SUBJECT: "Second mail" } });
  await page.getByRole("button", { name: "1 new message: show" }).waitFor();
  must((await page.locator("tbody tr").count()) === before, "nothing moved");
  await page.getByRole("button", { name: "1 new message: show" }).click();
  await page.getByRole("cell", { name: "Second mail" }).waitFor();
  must((await page.locator(".news").count()) === 0, "it is shown");
});

await step("an account's page has the mail that came for it", async () => {
  await page.goto(`${BASE}/accounts/${ANN}`);
  await page.getByRole("cell", { name: "Second mail" }).waitFor();
});

await step("addresses are broken at their signs, never inside a word", async () => {
  await page.goto(BASE + "/");
  await page.getByRole("cell", { name: "nobody@shop.example" }).waitFor();
  for (const width of [1280, 1070]) {
    await page.setViewportSize({ width, height: 860 });
    const cut = await page.evaluate(() => {
      const found = [];
      for (const cell of document.querySelectorAll('td[data-name="From"] .quoted, td[data-name="To"] .quoted'))
        for (const text of cell.childNodes) {
          const range = document.createRange();
          range.selectNodeContents(text);
          if (text.nodeType === Node.TEXT_NODE && range.getClientRects().length > 1) found.push(cell.textContent);
        }
      return found;
    });
    must(cut.length === 0, `at ${width}: ${cut.join(" ")}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    must(wide <= 0, `at ${width}: ${wide} pixels too wide`);
  }
  await page.setViewportSize({ width: 1280, height: 860 });
});

await step("the description of the API is a page of ours", async () => {
  await page.goto(`${BASE}/docs`);
  await page.getByRole("heading", { name: "Mailstead REST API" }).waitFor();
  must(await page.evaluate(() => getComputedStyle(document.querySelector("main")).maxWidth !== "none"), "its style");
  must((await page.locator("main").innerText()).indexOf("`") < 0, "names are marked");
  await axe("docs");
});

await step("the policy of another domain is fetched at once", async () => {
  await page.goto(`${BASE}/queue?tab=policies`);
  const row = page.getByRole("row").filter({ hasText: "gone.peer.example" });
  must((await row.innerText()).includes("enforce"), "what it demanded");
  // For longer than the page looks again by itself.
  process.kill(NAMES, "SIGSTOP");
  try {
    await row.getByRole("button", { name: "Fetch now" }).click();
    await page.getByText("The policy of gone.peer.example is being fetched").waitFor();
    await page.waitForTimeout(4000);
    await row.getByRole("button", { name: "Fetching…" }).waitFor();
  } finally {
    process.kill(NAMES, "SIGCONT");
  }
  await row.getByText("it has no record in the DNS").waitFor();
  await row.getByRole("button", { name: "Fetch now", disabled: false }).waitFor();
});

const ROOMS = [["/", "Overview"], ["/messages", "Messages"], ["/queue", "Queue"],
  ["/queue?tab=policies", "What other domains demand"], ["/domains", "Domains"],
  ["/accounts", "Accounts and aliases"], ["/settings", "Settings"], ["/reports", "Reports"], ["/domains/shop.example", "shop.example"], [`/accounts/${ANN}`, ANN]];

for (const word of ["light", "dark", "contrast"]) {
  await step(`axe finds nothing serious in the ${word} theme`, async () => {
    for (const [path, heading] of ROOMS) {
      await page.goto(BASE + path);
      await page.getByRole("heading", { name: heading, exact: true }).first().waitFor();
      await theme(word);
      await axe(`${path} (${word})`);
      if (word !== "contrast") await shot(`${heading.toLowerCase().replaceAll(/\W+/g, "-")}-${word}`);
    }
  });
}

await step("a phone shows everything without scrolling sideways", async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  for (const [path, heading] of ROOMS) {
    await page.goto(BASE + path);
    await page.getByRole("heading", { name: heading, exact: true }).first().waitFor();
    await theme("light");
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    must(wide <= 0, `${path} is ${wide} pixels too wide`);
    await shot(`${heading.toLowerCase().replaceAll(/\W+/g, "-")}-phone`);
  }
  await page.setViewportSize({ width: 1280, height: 860 });
});

await step("what could not be had comes by itself, when it can be had", async () => {
  for (const asked of ["session", "accounts"]) {
    const pattern = new RegExp(`/api/v1/${asked}(\\?|$)`);
    await page.route(pattern, (route) => route.abort());
    await page.goto(`${BASE}/accounts`);
    await page.getByText("The appliance does not answer").first().waitFor();
    await page.unroute(pattern);
    await page.getByRole("link", { name: ANN }).waitFor();
    must((await page.getByText("The appliance does not answer").count()) === 0, "nothing is wrong any more");
  }
  complaints.length = 0; // of the browser, that it could not load them
});

await step("an old tab asks to sign in again and keeps its place", async () => {
  await page.goto(`${BASE}/accounts`);
  await page.getByRole("heading", { name: "Accounts and aliases" }).waitFor();
  await page.getByLabel("Find an account").fill("kim");
  await page.getByRole("link", { name: ANN }).waitFor();
  await page.getByLabel("Any address").fill(ANN);
  await context.clearCookies();
  await page.getByRole("button", { name: "Look" }).click();
  await page.getByText("Your session has ended").waitFor();
  await page.locator(".signin").getByLabel("Name").fill(NAME);
  await page.locator(".signin").getByLabel("Password").fill(PASSWORD);
  await page.locator(".signin").getByRole("button", { name: "Sign in" }).click();
  await until(async () => (await page.locator(".signin").count()) === 0, "signed in again");
  must(page.url().endsWith(`/accounts?find=kim&address=${encodeURIComponent(ANN)}`), `still there, with what was asked: ${page.url()}`);
  await page.locator(".resolve").getByRole("button", { name: "Try again" }).click();
  await page.locator(".tree").getByText(ANN).waitFor();
});

await step("a session that ends below an open dialog loses nothing of it", async () => {
  await page.goto(`${BASE}/domains`);
  await page.getByRole("button", { name: "Add domain" }).first().click();
  const dialog = page.getByRole("dialog", { name: "Add a domain" });
  await dialog.getByLabel("Domain").fill("kept.example");
  await context.clearCookies();
  await page.keyboard.press("Enter");
  await page.getByText("Your session has ended").waitFor();
  const again = page.getByRole("dialog", { name: "Sign in again" });
  await until(() => again.getByLabel("Name").evaluate((e) => e === document.activeElement), "it can be typed into");
  await page.keyboard.type(NAME);
  await page.keyboard.press("Tab");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await until(async () => (await page.locator(".signin").count()) === 0, "signed in again");
  must((await dialog.getByLabel("Domain").inputValue()) === "kept.example", "what was typed is there");
  await dialog.getByRole("button", { name: "Cancel" }).click();
});

await step("whom the server does not hear is still signed in, and told so", async () => {
  const pattern = /\/api\/v1\/session$/;
  await page.route(pattern, (route) => route.abort());
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("status").getByText("You are still signed in: The appliance does not answer").waitFor();
  must((await page.getByRole("navigation", { name: "Rooms" }).count()) === 1, "the rooms are there");
  await page.unroute(pattern);
  complaints.length = 0; // of the browser, that it could not say it
});

await step("signing out ends the session on the server", async () => {
  const cookies = await context.cookies();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await context.addCookies(cookies.map((c) => ({ ...c, expires: -1 })));
  const answer = await page.request.get(`${BASE}/api/v1/session`);
  must(answer.status() === 401, `the old cookie gives ${answer.status()}`);
  must((await page.title()) === "Mailstead", `the tab still says ${await page.title()}`);
});

await finish();
