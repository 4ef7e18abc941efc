// Uses the blog as a person does, in a real browser, and fails if anything looks wrong.
//
//   node blog.mjs http://posts.localhost:8080 [screenshot.png]
//
// Writes a post, comments on it twice (once with a banned word), and waits for both verdicts. Any message in the console,
// any uncaught error and any failed request is a failure. CHROMIUM names another browser than /usr/bin/chromium.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

const PATIENCE_MS = 20_000;
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const APPROVED = "What a lovely afternoon";
const REJECTED_WORD = "orange";
const PENDING_TEXT = "This comment is awaiting moderation";
const REJECTED_TEXT = "This comment has been rejected";

function check(condition, message) {
  if (!condition) throw new Error(message);
}

/** Collects everything that a developer would see in red. */
function watch(page) {
  const complaints = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`uncaught: ${error}`));
  page.on("requestfailed", (request) => complaints.push(`failed: ${request.url()} ${request.failure()?.errorText}`));
  page.on("response", (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()}: ${response.url()}`);
  });
  return complaints;
}

async function writePost(page, title) {
  await page.getByLabel("Title").fill(title);
  await page.getByRole("button", { name: "Publish" }).click();
  const post = page.locator("article.post").filter({ has: page.locator(".post-title", { hasText: title }) });
  await post.waitFor();
  check((await post.count()) === 1, `the post is shown ${await post.count()} times`);
  check((await post.locator(".post-title").textContent()) === title, "the title is not shown as it was written");
  return post;
}

async function comment(post, text, expectedCount) {
  await post.getByLabel(/^Comment on/).fill(text);
  await post.getByRole("button", { name: "Comment" }).click();
  await post.locator("li.comment").nth(expectedCount - 1).waitFor();
}

async function useTheBlog(page, base) {
  await page.goto(base, { waitUntil: "load" });
  await page.locator("#posts[aria-busy=false]").waitFor({ state: "attached" }); // empty, it has no size
  check(await page.locator("#notice").isHidden(), "the page starts with a complaint");

  // Markup in a title must stay text; the number makes the post this run's own.
  const title = `Tea & <em>biscuits</em> ${Date.now()}`;
  const post = await writePost(page, title);
  await comment(post, APPROVED, 1);
  await comment(post, `My cat is ${REJECTED_WORD}`, 2);

  await post.locator("li.comment[data-status=approved]", { hasText: APPROVED }).waitFor();
  await post.locator("li.comment[data-status=rejected]", { hasText: REJECTED_TEXT }).waitFor();
  const texts = await post.locator(".comment-text").allTextContents();
  check(texts.join("|") === `${APPROVED}|${REJECTED_TEXT}`, `the comments read: ${texts.join("|")}`);
  check(!(await page.content()).includes(PENDING_TEXT), "a comment still awaits moderation");

  // An empty post is refused on the spot, and says why.
  await page.getByRole("button", { name: "Publish" }).click();
  await page.locator("#create-post .hint", { hasText: "write something" }).waitFor();

  // What is shown must come from the services, not from this page's memory.
  await page.reload();
  const again = page.locator("article.post").filter({ has: page.locator(".post-title", { hasText: title }) });
  await again.locator("li.comment[data-status=rejected]").waitFor();
  check((await again.locator("li.comment").count()) === 2, "after a reload the comments differ");
}

async function main() {
  const [base, screenshot] = process.argv.slice(2);
  if (!base) {
    console.error("usage: node blog.mjs BASE_URL [SCREENSHOT.png]");
    process.exit(2);
  }
  const profile = await mkdtemp(join(tmpdir(), "blog-browser-"));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: FLAGS,
    viewport: { width: 1100, height: 900 },
  });
  try {
    const page = browser.pages()[0] ?? (await browser.newPage());
    page.setDefaultTimeout(PATIENCE_MS);
    const complaints = watch(page);
    try {
      await useTheBlog(page, base);
    } finally {
      // Also, and above all, of a failure.
      if (screenshot) await page.screenshot({ path: screenshot, fullPage: true });
      complaints.forEach((complaint) => console.error(complaint));
    }
    check(complaints.length === 0, "the browser complained");
    console.log(`ok: ${base}`);
  } finally {
    await browser.close();
    await rm(profile, { recursive: true, force: true });
  }
}

main().catch((error) => {
  console.error(`not ok: ${error.message}`);
  process.exit(1);
});
