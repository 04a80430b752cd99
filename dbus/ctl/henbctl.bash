# SPDX-License-Identifier: GPL-3.0-or-later
# bash completion for henbctl: verbs, their options, and parameters level by level over the agent's tree.

# Parameters and objects one level below what is typed, such as Device.Time. for Device.T. Those of a path that nobody
# may read, or of an agent that does not run, are none. $1: what is typed, $2: what stands behind a parameter.
_henbctl_paths() {
    local cur=$1 end=$2 parent=Device. one
    local -A seen=()
    case $cur in *.*) parent=${cur%.*}. ;; esac
    while IFS= read -r one; do
        one=${one#"$parent"}
        case $one in
            "") continue ;;
            *.*) one=$parent${one%%.*}. ;;
            *) one=$parent$one$end ;;
        esac
        [[ $one == "$cur"* ]] && seen[$one]=1
    done < <(henbctl --names list "$parent" 2>/dev/null)
    COMPREPLY=("${!seen[@]}")
    # More is to be typed behind the only one there is, and behind what several have in common nothing is added anyway.
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[.=] ]] && compopt -o nospace
}

_henbctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} verb= i options="--json --help --version"
    local verbs="status timeline monitor tunnels session get list set inform reconnect reload deregister
        clear-deregistration wait check-config"
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            -* | =) ;;
            *) [[ ${COMP_WORDS[i - 1]} == = ]] || verb=${verb:-${COMP_WORDS[i]}} ;;
        esac
    done
    if [[ $cur == -* ]]; then
        case $verb in
            "") options+=" --svg --names --timeout=" ;;
            timeline) options+=" --svg" ;;
            get | list) options+=" --names" ;;
            wait) options+=" --timeout=" ;;
        esac
        COMPREPLY=($(compgen -W "$options" -- "$cur"))
        [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
        return 0
    fi
    # A value, behind "=", which is a word of its own.
    [[ $cur == = || ${COMP_WORDS[COMP_CWORD - 1]} == = ]] && return 0
    case $verb in
        "") COMPREPLY=($(compgen -W "$verbs" -- "$cur")) ;;
        get | list) _henbctl_paths "$cur" "" ;;
        set) _henbctl_paths "$cur" = ;;
        check-config)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            ;;
    esac
    return 0
}

complete -F _henbctl henbctl
