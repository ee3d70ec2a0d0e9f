/** The settings: a file of its own, fetched when somebody opens them. */

export { build } from "./build";
export { PanelView } from "./view/panel";
