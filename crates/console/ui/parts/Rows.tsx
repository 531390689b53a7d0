// A table that shows any number of rows without a stutter: only those in sight are drawn.
import { Table, Text, VisuallyHidden } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useRef } from "react";

export interface Column<T> {
  label: string;
  /** A share of the width, or a width: `2fr`, `120px`. */
  width: string;
  cell: (row: T) => ReactNode;
}

/** Rows beyond which only those in sight are drawn. */
const VIRTUAL_ROWS_MIN = 100;
const ROW_PX = 44;
const HEIGHT_PX = 620;

export function Rows<T>({
  label,
  columns,
  rows,
  id,
}: {
  /** What the table is of, for who cannot see it. */
  label: string;
  columns: Column<T>[];
  rows: T[];
  id: (row: T) => string;
}) {
  return rows.length < VIRTUAL_ROWS_MIN ? (
    <div className="wide">
      <Table aria-label={label} verticalSpacing={6} highlightOnHover miw={columns.length > 3 ? 640 : 320}>
        <Table.Thead>
          <Table.Tr>
            {columns.map((column) => (
              <Table.Th key={column.label} w={column.width.endsWith("fr") ? undefined : column.width}>
                {column.label || <VisuallyHidden>Actions</VisuallyHidden>}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={id(row)}>
              {columns.map((column) => (
                <Table.Td key={column.label}>{column.cell(row)}</Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  ) : (
    <VirtualRows label={label} columns={columns} rows={rows} id={id} />
  );
}

function VirtualRows<T>({
  label,
  columns,
  rows,
  id,
}: {
  label: string;
  columns: Column<T>[];
  rows: T[];
  id: (row: T) => string;
}) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 8,
  });
  const grid = {
    display: "grid",
    gridTemplateColumns: columns.map((column) => (column.width.endsWith("fr") ? `minmax(80px, ${column.width})` : column.width)).join(" "),
    alignItems: "center",
    columnGap: 12,
    minWidth: 640,
    padding: "0 10px",
  } as const;
  return (
    <>
      <div ref={scroller} style={{ height: HEIGHT_PX, overflow: "auto" }} tabIndex={0} role="region" aria-label={`${label}, scrolls`}>
        <div role="table" aria-label={label} aria-rowcount={rows.length + 1}>
          <div role="rowgroup" style={{ position: "sticky", top: 0, background: "var(--mantine-color-body)", zIndex: 1 }}>
            <div role="row" style={{ ...grid, height: 36 }}>
              {columns.map((column) => (
                <Text key={column.label} role="columnheader" size="sm" fw={650}>
                  {column.label || <VisuallyHidden>Actions</VisuallyHidden>}
                </Text>
              ))}
            </div>
          </div>
          <div role="rowgroup" style={{ height: virtual.getTotalSize(), position: "relative" }}>
            {virtual.getVirtualItems().map((item) => {
              const row = rows[item.index] as T;
              return (
                <div
                  key={id(row)}
                  role="row"
                  aria-rowindex={item.index + 2}
                  style={{
                    ...grid,
                    position: "absolute",
                    top: 0,
                    left: 0,
                    right: 0,
                    height: ROW_PX,
                    transform: `translateY(${item.start}px)`,
                    borderTop: "1px solid var(--mantine-color-default-border)",
                  }}
                >
                  {columns.map((column) => (
                    <div key={column.label} role="cell" style={{ overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap", fontSize: 14 }}>
                      {column.cell(row)}
                    </div>
                  ))}
                </div>
              );
            })}
          </div>
        </div>
      </div>
      <Text size="xs" className="quiet" mt={4}>
        {rows.length.toLocaleString()} rows
      </Text>
    </>
  );
}
