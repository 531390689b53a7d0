// Lines over time, with the figures as a table beneath: the chart is for eyes, the table for everybody.
import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useRef } from "react";
import uPlot from "uplot";

export interface Series {
  label: string;
  /** One for light, one for dark. */
  colour: [string, string];
  values: (number | null)[];
}

export function Chart({
  times,
  series,
  height = 200,
  stacked,
  label,
}: {
  /** Seconds since 1970, rising. */
  times: number[];
  series: Series[];
  height?: number;
  /** Bars instead of lines. */
  stacked?: boolean;
  /** What is shown, for who cannot see it. */
  label: string;
}) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const dark = useComputedColorScheme("light") === "dark";
  const shape = `${series.map((one) => one.label).join("|")} ${dark} ${height} ${stacked}`;

  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const ink = dark ? "#a6adb4" : "#596169";
    const grid = { stroke: dark ? "#373a40" : "#e9ecef", width: 1 };
    const made = new uPlot(
      {
        width: element.clientWidth,
        height,
        legend: { live: true },
        cursor: { y: false },
        scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
        axes: [
          { stroke: ink, grid, ticks: grid },
          { stroke: ink, grid, ticks: grid, size: 56 },
        ],
        series: [
          {},
          ...series.map((one): uPlot.Series => {
            const stroke = one.colour[dark ? 1 : 0];
            const bars = stacked ? uPlot.paths.bars?.({ size: [0.7, 60] }) : undefined;
            return { label: one.label, stroke, fill: `${stroke}33`, width: 1.5, points: { show: false }, ...(bars ? { paths: bars } : {}) };
          }),
        ],
      },
      [times, ...series.map((one) => one.values)] as uPlot.AlignedData,
      element,
    );
    plot.current = made;
    const sized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    sized.observe(element);
    return () => {
      sized.disconnect();
      made.destroy();
    };
    // The data that come later are set below, without drawing everything anew.
  }, [shape]);

  useEffect(() => {
    plot.current?.setData([times, ...series.map((one) => one.values)] as uPlot.AlignedData);
  }, [times, series]);

  return <div ref={frame} role="img" aria-label={label} style={{ width: "100%", minHeight: height + 30 }} />;
}
