import { LabIcon } from "@jupyterlab/ui-components";

/** Two lines of talk in a balloon, in the colour of JupyterLab's own icons. */
export const chatIcon = new LabIcon({
  name: "streamchat:chat",
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 24 24">
<path class="jp-icon3 jp-icon-selectable" fill="#616161" d="M5 3h14a3 3 0 0 1 3 3v8a3 3 0 0 1-3 3h-7l-5 4v-4H5a3 3 0 0 1-3-3V6a3 3 0 0 1 3-3zm1.5 4v1.8h11V7zm0 4v1.8h7V11z"/>
</svg>`,
});
