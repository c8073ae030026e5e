/* What is asked of the server. Whatever goes wrong is an Error whose message is for a person. */

const { base, assignment, exercise } = document.body.dataset;
export const api = `${base}-api/${assignment}/${exercise}`;

export async function ask(what, given, post) {
  const options = post && {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-XSRFToken": cookie("_xsrf") },
    body: JSON.stringify(given),
  };
  const query = post ? "" : `?${new URLSearchParams(given)}`;
  let response;
  try {
    response = await fetch(`${api}/${what}${query}`, options);
  } catch {
    throw new Error("The server does not answer. Nothing is lost: what you entered stays here. Try again in a moment.");
  }
  let told = {};
  try {
    told = await response.json();
  } catch {
    if (response.ok) throw new Error("The server's answer was cut off. Nothing is lost: try again in a moment.");
  }
  if (response.ok) return told;
  if (response.status === 403) throw new Error("Your login has expired: log in again in another tab, then try again here.");
  throw new Error(told.message ?? `The server could not do this (${response.status}). Try again, or reload the page.`);
}

const cookie = name => document.cookie.split("; ").find(one => one.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
