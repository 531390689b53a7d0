// The frame around every page: navigation, search, colours, sign-out.
import { ActionIcon, AppShell, Burger, Button, Group, Kbd, Menu, NavLink, Text, Tooltip, useMantineColorScheme } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { spotlight } from "@mantine/spotlight";
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { useEffect } from "react";

import { Icon, type IconName } from "../parts/Icon";
import { Finder } from "./Finder";
import { useSession } from "./SignedIn";

const PAGES: { to: string; label: string; icon: IconName }[] = [
  { to: "/", label: "Home", icon: "home" },
  { to: "/apis", label: "APIs", icon: "api" },
  { to: "/plans", label: "Usage plans", icon: "plan" },
  { to: "/keys", label: "API keys", icon: "key" },
  { to: "/explain", label: "Explain", icon: "explain" },
  { to: "/audit", label: "Audit log", icon: "audit" },
  { to: "/settings", label: "Settings", icon: "settings" },
];

export function Shell() {
  const [open, { toggle, close }] = useDisclosure();
  const { pathname } = useLocation();
  // On a small screen the menu covers the page that was chosen in it.
  useEffect(close, [pathname, close]);
  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 216, breakpoint: "sm", collapsed: { mobile: !open } }}
      padding={{ base: "sm", sm: "lg" }}
    >
      <a href="#main" className="skip">
        Skip to the page
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="xs" wrap="nowrap">
            <Burger opened={open} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Menu" aria-expanded={open} />
            <img src="/console/icon.svg" alt="" width={26} height={26} />
            <Text fw={650} component="span">
              Tollgate
            </Text>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <Button
              variant="default"
              size="xs"
              leftSection={<Icon name="search" />}
              rightSection={<Kbd size="xs">Ctrl K</Kbd>}
              visibleFrom="xs"
              onClick={spotlight.open}
            >
              Find
            </Button>
            <ActionIcon variant="default" size={30} hiddenFrom="xs" onClick={spotlight.open} aria-label="Find">
              <Icon name="search" />
            </ActionIcon>
            <Colours />
            <Account />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" component="nav" aria-label="Pages">
        {PAGES.map(({ to, label, icon }) => (
          <NavLink
            key={to}
            component={Link}
            to={to}
            label={label}
            leftSection={<Icon name={icon} />}
            active={to === "/" ? pathname === "/" : pathname.startsWith(to)}
            variant="light"
          />
        ))}
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1}>
        <Outlet />
      </AppShell.Main>
      <Finder />
    </AppShell>
  );
}

function Colours() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const next = { auto: "light", light: "dark", dark: "auto" } as const;
  const says = { auto: "Colours: as the system", light: "Colours: light", dark: "Colours: dark" };
  return (
    <Tooltip label={says[colorScheme]}>
      <ActionIcon
        variant="default"
        size={30}
        aria-label={says[colorScheme]}
        onClick={() => setColorScheme(next[colorScheme])}
      >
        <Icon name={colorScheme === "dark" ? "moon" : colorScheme === "light" ? "sun" : "contrast"} />
      </ActionIcon>
    </Tooltip>
  );
}

function Account() {
  const { session, signOut } = useSession();
  if (!session.authentication) {
    return (
      <Text size="xs" className="quiet" visibleFrom="md">
        no authentication
      </Text>
    );
  }
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="default" size={30} aria-label={`Signed in as ${session.accessKeyId}`}>
          <Icon name="person" />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Signed in as {session.accessKeyId}</Menu.Label>
        <Menu.Item onClick={() => void signOut()}>Sign out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
