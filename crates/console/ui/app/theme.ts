// Colours and sizes; everything else is Mantine's.
import { createTheme } from "@mantine/core";

export const theme = createTheme({
  primaryColor: "cyan",
  // Dark enough for white text on it and for itself on white (WCAG AA).
  primaryShade: { light: 9, dark: 8 },
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', Menlo, Consolas, 'Liberation Mono', monospace",
  headings: { fontWeight: "650" },
  defaultRadius: "md",
  cursorType: "pointer",
});
